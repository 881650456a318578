"""Services of accounts: login, tokens, users, roles."""

from apps.accounts.services.login import log_in
from apps.accounts.services.roles import ROLES, ensure_roles, exceeds, grantable_groups, grantable_permissions
from apps.accounts.services.users import NewUser, SeedResult, seed_users
from apps.accounts.tokens import Tokens, end_family, end_sessions, issue, read_token, refresh, user_of

__all__ = [
    "ROLES",
    "NewUser",
    "SeedResult",
    "Tokens",
    "end_family",
    "end_sessions",
    "ensure_roles",
    "exceeds",
    "grantable_groups",
    "grantable_permissions",
    "issue",
    "log_in",
    "read_token",
    "refresh",
    "seed_users",
    "user_of",
]
