"""Accounts at providers, and what can be ordered there: `accounts`, `catalog`, and `offers`, which both read."""

from __future__ import annotations

from apps.providers.services.accounts import (
    CHECK,
    apply_check_outcome,
    change_account,
    check_account,
    create_account,
    credential_faults,
    needed,
    note_contact,
    register_account,
)
from apps.providers.services.catalog import (
    REFRESH,
    account_shown,
    begin_reading,
    marked,
    offering,
    plans_shown,
    providers,
    refresh_all,
    refresh_catalog,
    size_of,
    store_catalog,
)

__all__ = [
    "CHECK",
    "REFRESH",
    "account_shown",
    "begin_reading",
    "change_account",
    "credential_faults",
    "check_account",
    "create_account",
    "marked",
    "needed",
    "note_contact",
    "offering",
    "plans_shown",
    "providers",
    "refresh_all",
    "refresh_catalog",
    "register_account",
    "apply_check_outcome",
    "size_of",
    "store_catalog",
]
