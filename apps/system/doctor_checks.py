"""Doctor checks of every installation: migrations, writing, settings, clock, secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.db import Error, connection
from django.utils import timezone

from apps.system.disk import write_fault
from apps.system.doctor import Check, Finding, fail, first_line, ok, warn
from apps.system.key_rotation import survey
from apps.system.schema_version import mismatch

MAX_SKEW_SECONDS = 2.0
SYNCHRONISE = "Let a time service (chrony, systemd-timesyncd) set the clocks of all nodes and of the database."


def check_migrations() -> list[Finding]:
    """Check whether the tables are those of this version."""
    if fault := mismatch():
        what, _, advice = fault.partition(": ")
        return [fail("migrations", f"{what}.", f"{advice[0].upper()}{advice[1:]}")]
    return [ok("migrations", "All are applied.")]


def check_writing() -> list[Finding]:
    """Check whether the database takes a write; one that changes no row is enough."""
    if fault := write_fault():
        return [fail("writing", fault, "Free space on that disk, or see the rights of the folder.")]
    if "django_migrations" not in connection.introspection.table_names():
        return []  # there are no tables yet, as the check of migrations says
    try:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET applied = applied WHERE id = 0")
    except Error as error:
        connection.close()
        advice = (
            "See the permissions of the SQLite file and its directory, free disk space, or whether it is a replica."
        )
        return [fail("writing", f"The database cannot be written: {first_line(error)}", advice)]
    return [ok("writing", "The database can be written.")]


def check_settings() -> list[Finding]:
    """Sum up `check --deploy`; a development machine is only held to `check`."""
    deployed = not settings.DEVELOPMENT
    found = [each for each in run_checks(include_deployment_checks=deployed) if each.level >= WARNING]
    command = "`check --deploy`" if deployed else "`check`"
    return [complaint(each) for each in found] or [ok("settings", f"{command} finds nothing wrong.")]


def complaint(message: Any) -> Finding:
    """Turn a system check's message into a finding."""
    make = fail if message.is_serious() else warn
    return make(
        "settings", f"{first_line(message.msg)} ({message.id})", message.hint or "See `manage.py check --deploy`."
    )


def check_clock() -> list[Finding]:
    """Compare the database's clock with this machine's."""
    if connection.vendor == "sqlite":
        return [ok("clock", "SQLite reads this machine's clock.")]
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    ours = before + (timezone.now() - before) / 2
    return [clock_finding("clock", "This machine", (ours - theirs).total_seconds())]


def clock_finding(name: str, whose: str, ahead: float) -> Finding:
    """Return what a clock that is `ahead` seconds of the database's means."""
    way = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'}"
    if abs(ahead) > MAX_SKEW_SECONDS:
        return warn(name, f"{whose} is {way} the database's clock.", SYNCHRONISE)
    return ok(name, f"{whose} agrees with the database's clock.")


def check_secrets() -> list[Finding]:
    """Check whether every encrypted secret can be decrypted, with the first key."""
    counts = survey()
    broken = [name for count in counts for name in count.broken]
    outdated = sum(count.outdated for count in counts)
    found = [
        fail("secrets", f"No key opens {name}.", "Put the key back into CREDENTIALS_KEYS, or enter the secret anew.")
        for name in broken
    ]
    if outdated:
        text = f"{outdated} are encrypted with another key than the first of CREDENTIALS_KEYS."
        found.append(warn("secrets", text, "Run `manage.py rotate_secrets` before that key is taken away."))
    current = sum(count.current for count in counts)
    return found or [ok("secrets", f"All {current} can be opened with the first key.")]


CHECKS = [
    Check(name="migrations", look=check_migrations),
    Check(name="writing", look=check_writing),
    Check(name="settings", look=check_settings, needs_database=False),
    Check(name="clock", look=check_clock),
    Check(name="secrets", look=check_secrets, seconds=60),
]
