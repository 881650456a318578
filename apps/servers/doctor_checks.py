"""Doctor check of the SSH client."""

from __future__ import annotations

from apps.system.doctor import Check, Finding, program


def check_ssh() -> list[Finding]:
    """Check whether there is an SSH client."""
    return [program("ssh", "ssh", "-V", advice="Install an OpenSSH client: `apt install openssh-client`.")]


CHECKS = [Check(name="ssh", look=check_ssh, needs_database=False)]
