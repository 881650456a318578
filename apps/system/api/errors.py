"""The one place that turns an exception into an answer, and the JSON pages for unknown routes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, serializers
from rest_framework.views import set_rollback

from apps.system.api.rendering import json_response
from apps.system.database import is_conflict, is_unavailable
from apps.system.disk import DATABASE_FULL, FULL, database_disk_is_full
from apps.system.errors import MAX_FAULTS, DomainError, Invalid, NotFound, Unauthorized, Unavailable

logger = logging.getLogger(__name__)

SENTENCES = {  # for what the REST framework refuses by itself
    403: "You may not do this.",
    404: "There is nothing here.",
    405: "This method is not allowed here.",
    406: "The answer is JSON; accept application/json.",
    415: "Send the body as JSON, with Content-Type: application/json.",
    429: "Too many requests; try again later.",
}
CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
NO_ROUTE = "There is nothing at {path}; /v1/docs lists what there is."
# An error does not grow with what was sent: characters of its message, of a field's path and of each sentence about it.
MAX_MESSAGE, MAX_PATH, MAX_SENTENCE = 1000, 100, 300
MAX_SENTENCES = 3  # about one field


class ErrorOut(serializers.Serializer):
    """The shape of every error; `code` is the HTTP status as a string."""

    error = serializers.CharField(help_text="A stable code for programs.")
    message = serializers.CharField(help_text="One sentence for a person.")
    code = serializers.CharField(help_text="The HTTP status, as a string.")


class ValidationErrorOut(ErrorOut):
    """An error that also says, field by field, what is wrong."""

    details = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False, help_text="What is wrong, by field."
    )


def answer_error(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer any exception in the one error shape; an unknown one is logged and its text kept from the client.

    The answer is rendered here, for a view's own renderer may be one for pages or for YAML.
    """
    set_rollback()
    error = refusal(exc)
    if error is None:
        logger.exception("%s failed", context["request"].path, exc_info=exc)
        error = DomainError()
    headers = dict(error.headers)
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", getattr(exc, "auth_header", None) or 'Bearer realm="api"')
    return json_response(body(error), status=error.status, headers=headers)


def body(error: DomainError) -> dict[str, Any]:
    """Return the error's JSON: code, sentence, status as text and, where known, details by field; all of it bounded."""
    shape: dict[str, Any] = {
        "error": error.code,
        "message": cut(error.text, MAX_MESSAGE),
        "code": str(error.status),
    }
    if error.details:
        shape["details"] = bounded(error.details)
    return shape


def bounded(details: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the first fields, and the first sentences about each of them."""
    return {
        cut(str(field), MAX_PATH): [cut(fault, MAX_SENTENCE) for fault in faults[:MAX_SENTENCES]]
        for field, faults in islice(details.items(), MAX_FAULTS)
    }


def cut(text: str, max_length: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def refusal(exc: Exception) -> DomainError | None:
    """Return what the exception means to a caller, or None when it is a bug."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, Http404):
        return NotFound(NO_ROUTE, path="this address")
    if isinstance(exc, PermissionDenied):
        return framework_refusal(exceptions.PermissionDenied())
    if isinstance(exc, SuspiciousOperation):
        return Invalid("The request cannot be served; it has too many parameters or a bad Host header.")
    if isinstance(exc, OperationalError | InterfaceError) and database_disk_is_full(exc):
        logger.error("the disk of the database is full", exc_info=exc)
        return Unavailable(DATABASE_FULL)
    if isinstance(exc, OSError) and exc.errno in FULL:
        logger.error("a disk is full: %s", exc)
        return Unavailable("The disk of VAR_DIR is full; nothing can be changed until there is space.")
    if is_unavailable(exc):
        logger.error("the database does not answer", exc_info=exc)
        return Unavailable("The database does not answer; try again shortly.")
    if is_conflict(exc):
        logger.error("a transaction was ended in favor of another, time and again", exc_info=exc)
        return Unavailable("Others were changing the same things; nothing was changed, so try again.")
    if isinstance(exc, exceptions.APIException) and exc.status_code < 500:
        return framework_refusal(exc)
    return None


def framework_refusal(exc: exceptions.APIException) -> DomainError:
    """Translate what the REST framework itself raises."""
    if isinstance(exc, exceptions.ValidationError):
        details = bounded(flatten(exc.detail))
        return Invalid("The request is not valid: {what}", what=summary(details), details=details)
    if exc.status_code == 401:
        return Unauthorized()
    ours = isinstance(exc, exceptions.ParseError)
    error = DomainError(str(exc.detail) if ours else SENTENCES.get(exc.status_code, "The request cannot be answered."))
    error.status = exc.status_code
    error.code = (
        "PARSE_ERROR" if isinstance(exc, exceptions.ParseError) else CODES.get(exc.status_code, "INTERNAL_ERROR")
    )
    return error


def summary(details: Mapping[str, list[str]]) -> str:
    """Put the first faults into one sentence."""
    parts = [f"{field}: {faults[0].rstrip('.')}" for field, faults in list(details.items())[:3]]
    return "; ".join(parts) + ("; …" if len(details) > 3 else ".")


def flatten(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Turn nested validation errors into `{"field.index": ["what is wrong"]}`."""
    if isinstance(detail, Mapping):
        pairs = [(join(path, key), item) for key, item in detail.items()]
    elif isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        pairs = [(join(path, index), item) for index, item in enumerate(detail) if item]
    else:
        return {path or "body": [str(item) for item in (detail if isinstance(detail, list) else [detail])]}
    return {field: faults for place, item in pairs for field, faults in flatten(item, place).items()}


def join(path: str, key: object) -> str:
    """Extend a field path; faults of the whole body stay with the body."""
    if key == "non_field_errors":
        return path or "body"
    name = cut(str(key), MAX_PATH)
    return f"{path}.{name}" if path else name


def wants_page(request: HttpRequest) -> bool:
    """Tell whether the client is a browser: it names HTML, which programs do not."""
    return "text/html" in request.headers.get("Accept", "")


def lower_case_route(request: HttpRequest) -> str:
    """Return the address that differs in the case of letters only, or nothing."""
    lower = request.path_info.lower()
    if lower == request.path_info:
        return ""
    try:
        match = resolve(lower)
    except Resolver404:
        return ""
    return "" if match.func is no_route else lower


def is_api(path: str) -> bool:
    """Tell whether errors under this path are JSON."""
    return path.startswith(("/v1/", "/health")) or path in ("/v1", "/metrics")


@csrf_exempt
def no_route(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404: a page for browsers outside the API, else JSON."""
    if not is_api(request.path) and wants_page(request):
        return render(request, "404.html", {"path": request.path[:200], "meant": lower_case_route(request)}, status=404)
    return json_response(body(NotFound(NO_ROUTE, path=request.path[:200])), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 for what Django itself refuses, such as an unknown host name."""
    if not is_api(request.path):
        return defaults.bad_request(request, exception)
    return json_response(body(refusal(exception) or Invalid()), status=400)


def crash(request: HttpRequest) -> HttpResponse:
    """Answer 500 for what failed outside any view."""
    if not is_api(request.path):
        return defaults.server_error(request)
    return json_response(body(DomainError()), status=500)
