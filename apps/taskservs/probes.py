"""The probe of what installs taskservs."""

from __future__ import annotations

from apps.system.doctor import Finding, Probe, program


def look_at_ansible() -> list[Finding]:
    """See whether Ansible runs."""
    advice = (
        "Install it beside Python: `pip install -r requirements.txt`; see that the locale is UTF-8 (LC_ALL=C.UTF-8)."
    )
    return [program("ansible", "ansible-playbook", "--version", advice=advice)]


PROBES = [Probe(name="ansible", look=look_at_ansible, needs_database=False)]
