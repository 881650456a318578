"""Login, refresh and logout."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.serializers import Login, Refresh, TokensOut
from apps.system.api.errors import ErrorOut
from apps.system.api.fields import EmptyBody, valid
from apps.system.api.idempotency import idempotent
from apps.system.api.views import APIViewSet


@method_decorator(sensitive_post_parameters(), name="dispatch")
class AuthViewSet(APIViewSet):
    """The two endpoints that need no access token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    no_errors = ("409",)

    @extend_schema(request=Login, responses={200: TokensOut, 401: ErrorOut, 429: ErrorOut}, operation_id="login")
    @idempotent
    def login(self, request: Any) -> Response:
        """Log in with user name and password."""
        return Response(asdict(services.log_in(request=request._request, **valid(Login, request))))

    @extend_schema(request=Refresh, responses={200: TokensOut, 401: ErrorOut}, operation_id="refresh")
    @idempotent
    def refresh(self, request: Any) -> Response:
        """Exchange a refresh token for new tokens.

        For 10 s after its first use it gets the same tokens again; presented later, it ends the login.
        """
        return Response(asdict(services.refresh(**valid(Refresh, request))))


class LogoutViewSet(APIViewSet):
    """The end of a login; every caller may end the caller's own."""

    permission_classes = [IsAuthenticated]
    no_errors = ("403", "409")

    @extend_schema(request=None, responses={204: None}, operation_id="logout")
    @idempotent
    def log_out(self, request: Any) -> Response:
        """Log out: end the login that the access token came from, with all of its tokens."""
        valid(EmptyBody, request)
        services.end_family(request.auth)
        return Response(status=204)
