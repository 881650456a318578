"""The checks of the container engine here and of cloud accounts: whether each answers, and how old catalogs are."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from apps.providers import handlers
from apps.providers.models import CloudAccount
from apps.system.doctor import Check, Finding, ok, warn

ACCOUNT_SECONDS = 10.0


def accounts() -> list[Check]:
    """Return a check for each account that is in use."""
    return [account_check(account, name_of(account)) for account in in_use()]


def account_check(account: CloudAccount, name: str) -> Check:
    """Return the check that connects to an account's cloud."""
    look = partial(handlers.diagnose, account, name)
    return Check(name=name, look=look, needs_database=False, uses_network=True, seconds=ACCOUNT_SECONDS)


def check_catalogs() -> list[Finding]:
    """Check whether each account's plans and zones were read lately; that is done each hour."""
    late = [(account, account.refreshed_at) for account in in_use() if account.is_stale]
    if not late:
        return [ok("catalogs", "All were read within the last hours.")]
    advice = "Run `manage.py refresh_catalog`; it says why one cannot be read."
    return [warn("catalogs", f"{name_of(account)} was last read {when(read_at)}.", advice) for account, read_at in late]


def when(moment: datetime | None) -> str:
    """Return a time for people."""
    return f"at {moment:%Y-%m-%d %H:%M} UTC" if moment else "never"


def in_use() -> list[CloudAccount]:
    """Return the enabled accounts."""
    return list(CloudAccount.objects.filter(enabled=True).select_related("workspace"))


def name_of(account: CloudAccount) -> str:
    """Name an account, with its workspace when it is for one only."""
    return f"account {account.identifier}" + (f" in {account.workspace}" if account.workspace else "")


CHECKS = [
    Check(name="engine", look=partial(handlers.diagnose_engine, "engine"), needs_database=False),
    Check(name="accounts", look=accounts, uses_network=True),
    Check(name="catalogs", look=check_catalogs),
]
