"""Providers in the console: accounts with their credentials, plans and zones."""

from apps.providers.admin import suggestions  # noqa: F401 - it registers them
from apps.providers.admin.accounts import AccountAdmin, register_account_action
from apps.providers.admin.catalog import PlanAdmin, ZoneAdmin

__all__ = ["AccountAdmin", "PlanAdmin", "ZoneAdmin", "register_account_action"]
