"""The user of a request that only logged-in users can make."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apps.accounts.models import User


def current_user(request: HttpRequest) -> User:
    """Return the user who is logged in, as everybody in the admin site is. Raises PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
