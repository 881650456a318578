"""One line for each request, in development."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

logger = logging.getLogger(__name__)
QUIET = ("/static/", "/emulator/")  # the pages' own files, and what the service itself asks of the emulated cloud


class RequestLog:
    """Middleware that logs method, path, status and milliseconds; the path is percent-encoded, so one line it stays."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, then log it."""
        began = time.perf_counter()
        answer = self.get_response(request)
        if not request.path.startswith(QUIET):
            milliseconds = (time.perf_counter() - began) * 1000
            path = request.get_full_path()
            logger.info("%s %s %s %.0f ms", request.method, path, answer.status_code, milliseconds)
        return answer
