"""The probe of what reaches servers."""

from __future__ import annotations

from apps.system.doctor import Finding, Probe, program


def look_at_ssh() -> list[Finding]:
    """See whether there is an SSH client."""
    return [program("ssh", "ssh", "-V", advice="Install an OpenSSH client: `apt install openssh-client`.")]


PROBES = [Probe(name="ssh", look=look_at_ssh, needs_database=False)]
