"""The probes of the container engine here and of cloud accounts: whether each answers, and how old catalogues are."""

from __future__ import annotations

from functools import partial

from apps.providers import handlers
from apps.providers.models import Account
from apps.system.doctor import Finding, Probe, ok, warn

ACCOUNT_SECONDS = 10.0


def accounts() -> list[Probe]:
    """Return a probe for each account that is in use."""
    return [account_probe(account, name_of(account)) for account in in_use()]


def account_probe(account: Account, name: str) -> Probe:
    """Return the probe that asks an account's cloud."""
    look = partial(handlers.diagnose, account, name)
    return Probe(name=name, look=look, needs_database=False, goes_out=True, seconds=ACCOUNT_SECONDS)


def look_at_catalogues() -> list[Finding]:
    """See whether each account's plans and zones were read lately; that is done each hour."""
    late = [(account, account.refreshed_at) for account in in_use() if account.is_stale]
    if not late:
        return [ok("catalogues", "All were read within the last hours.")]
    advice = "Run `manage.py refresh_catalogue`; it says why one cannot be read."
    return [
        warn("catalogues", f"{name_of(account)} was last read {when(read_at)}.", advice) for account, read_at in late
    ]


def when(moment) -> str:
    """Return a time for people."""
    return f"at {moment:%Y-%m-%d %H:%M} UTC" if moment else "never"


def in_use() -> list[Account]:
    """Return the enabled accounts."""
    return list(Account.objects.filter(enabled=True).select_related("workspace"))


def name_of(account: Account) -> str:
    """Name an account, with its workspace when it is for one only."""
    return f"account {account}" + (f" in {account.workspace}" if account.workspace else "")


PROBES = [
    Probe(name="engine", look=partial(handlers.diagnose_engine, "engine"), needs_database=False),
    Probe(name="accounts", look=accounts, goes_out=True),
    Probe(name="catalogues", look=look_at_catalogues),
]
