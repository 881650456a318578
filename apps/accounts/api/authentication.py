"""Bearer tokens."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework_simplejwt.tokens import AccessToken

from apps.accounts import services
from apps.accounts.errors import InvalidRefreshToken
from apps.accounts.models import User
from apps.system.errors import Unauthorized


class TokenAuthentication(BaseAuthentication):
    """Read `Authorization: Bearer <access token>` and load its user with all permissions: one query."""

    def authenticate(self, request: Any) -> tuple[User, Any] | None:
        """Return user and claims, or None when no token was sent. Raises Unauthorized."""
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = services.read_token(AccessToken, text.strip())
        except InvalidRefreshToken as error:
            raise Unauthorized("The access token is not valid or has expired; log in again.") from error
        user = services.user_of(claims)
        if user is None:
            raise Unauthorized("The access token is no longer valid; log in again.")
        return user, claims

    def authenticate_header(self, request: Any) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="api"'
