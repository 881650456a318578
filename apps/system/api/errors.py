"""The one place that turns an exception into an answer, and the JSON pages for unknown routes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, serializers
from rest_framework.views import set_rollback

from apps.system.api.rendering import json_response
from apps.system.errors import DomainError, Invalid, NotFound, Unauthorized, Unavailable

logger = logging.getLogger(__name__)

CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
NO_ROUTE = "There is nothing at {path}; /v1/docs lists what there is."
MOST_DETAILS, LONGEST_NAME = 20, 100  # an answer does not grow with the nonsense that was sent


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
    """Return the error's JSON: code, sentence, status as text and, where known, details by field."""
    shape: dict[str, Any] = {"error": error.code, "message": error.text, "code": str(error.status)}
    if error.details:
        shape["details"] = error.details
    return shape


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
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("the database does not answer: %s", exc)
        return Unavailable("The database does not answer; try again shortly.")
    known = isinstance(exc, exceptions.APIException) and exc.status_code < 500
    return framework_refusal(exc) if known else None


def framework_refusal(exc: exceptions.APIException) -> DomainError:
    """Translate what the REST framework itself raises."""
    if isinstance(exc, exceptions.ValidationError):
        details = dict(islice(flatten(exc.detail).items(), MOST_DETAILS))
        return Invalid("The request is not valid: {what}", what=summary(details), details=details)
    if exc.status_code == 401:
        return Unauthorized()
    error = DomainError(str(exc.detail) if isinstance(exc.detail, str) else exc.default_detail)
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
    name = str(key)[:LONGEST_NAME]
    return f"{path}.{name}" if path else name


def is_api(path: str) -> bool:
    """Tell whether errors under this path are JSON."""
    return path.startswith(("/v1/", "/health")) or path in ("/v1", "/metrics")


@csrf_exempt
def no_route(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404: JSON under the API, Django's page elsewhere."""
    if not is_api(request.path):
        return defaults.page_not_found(request, exception or Http404())
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
