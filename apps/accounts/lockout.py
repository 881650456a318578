"""The answer to a login after too many failed ones."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def answer_lockout(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None) -> HttpResponse:
    """Answer 429: the API's own answer under /v1, a page elsewhere."""
    if request.path.startswith("/v1/"):
        return response
    seconds = int(get_cool_off(request).total_seconds())
    page = render(request, "admin/lockout.html", {"minutes": -(-seconds // 60)}, status=429)
    page["Retry-After"] = str(seconds)
    return page
