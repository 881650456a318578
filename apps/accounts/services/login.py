"""Logging in by name and password; `apps.accounts.tokens` refreshes and ends what a login began."""

from __future__ import annotations

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.contrib.auth import authenticate, user_logged_in

from apps.accounts.errors import InvalidCredentials
from apps.accounts.models import User
from apps.accounts.tokens import Tokens, begin_family
from apps.system.errors import RateLimited


def log_in(*, request: Any, username: str, password: str) -> Tokens:
    """Return tokens for a user who knows the password. Raises InvalidCredentials, RateLimited."""
    user = authenticate(request, username=username, password=password)
    if user is None:
        if not AxesProxyHandler.is_allowed(request, {"username": username}):
            raise RateLimited(seconds=int(get_cool_off(request).total_seconds()))
        raise InvalidCredentials
    tokens = begin_family(user)
    # Stores the time of login, and resets the failures that axes has counted.
    user_logged_in.send(sender=User, request=request, user=user)
    return tokens
