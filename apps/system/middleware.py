"""What every request passes: measurements, its Host header and origin, and the headers of its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable

from csp import constants as csp
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from apps.system.api.errors import bad_request
from apps.system.client_address import client_address, remember_client_address
from apps.system.measurements import TOTALS

logger = logging.getLogger(__name__)
Answer = Callable[[HttpRequest], HttpResponse]
PUBLIC = ("/v1/schema", "/v1/docs")
CONSOLE = "/admin/"
CONSOLE_POLICY = {"script-src": [csp.UNSAFE_EVAL], "style-src": [csp.UNSAFE_INLINE]}


class MeasuredRequests:
    """Let what is measured of a request reach the node's totals."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Announce measurements, then go on."""
        TOTALS.expect()
        return self.get_response(request)


class KnownHost:
    """Refuse a foreign Host header with one line in the log; health checks may come by address or any name."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Check the host, then go on."""
        if request.path_info.startswith("/health"):
            request.META["HTTP_HOST"] = own_host()
        try:
            request.get_host()
        except DisallowedHost as error:
            logger.warning("refused a request for an unknown host: %.200s", error)
            return bad_request(request, error)
        return self.get_response(request)


class KnownOrigin:
    """Remember the client's address for what is stored while the request is answered."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on."""
        with remember_client_address(client_address(request)):
            return self.get_response(request)


class PrivateAnswers:
    """Forbid caches to store the API's answers: they carry tokens, secrets and data of limited access."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and say so where the view says nothing else."""
        response = self.get_response(request)
        if request.path_info.startswith("/v1/") and not request.path_info.startswith(PUBLIC):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ConsolePolicy:
    """Relax the content security policy for the pages of the console, as far as its theme needs (decision 26)."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and say what scripts and styles of the answer may do."""
        response = self.get_response(request)
        if request.path_info.startswith(CONSOLE):
            response._csp_update = CONSOLE_POLICY  # type: ignore[attr-defined]
        return response


def own_host() -> str:
    """Return a host name that is allowed."""
    name = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost"
    return "localhost" if name == "*" else name.lstrip(".")
