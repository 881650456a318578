"""Accounts at providers, and what can be ordered there: `accounts`, `catalogue`, and `offers`, which both read."""

from __future__ import annotations

from apps.providers.services.accounts import (
    CHECK,
    change_account,
    check_account,
    create_account,
    needed,
    register_account,
    settle_account,
)
from apps.providers.services.catalogue import (
    REFRESH,
    account_shown,
    marked,
    offering,
    plans_shown,
    price_of,
    providers,
    refresh_all,
    refresh_catalogue,
    store_catalogue,
)
from apps.providers.services.offers import Offer, image_builders, offered

__all__ = [
    "CHECK",
    "REFRESH",
    "Offer",
    "account_shown",
    "change_account",
    "check_account",
    "create_account",
    "image_builders",
    "marked",
    "needed",
    "offered",
    "offering",
    "plans_shown",
    "price_of",
    "providers",
    "refresh_all",
    "refresh_catalogue",
    "register_account",
    "settle_account",
    "store_catalogue",
]
