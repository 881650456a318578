"""The answer to a login that cannot be checked now, as too many are being checked."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.system.errors import RateLimited


class RateLimitPages:
    """Middleware that answers RateLimited with a page, where a view of the admin raised it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 429, or leave any other error to Django."""
        if not isinstance(error, RateLimited):
            return None
        page = render(request, "admin/rate_limited.html", error.facts, status=error.status)
        for name, value in error.headers.items():
            page[name] = value
        return page
