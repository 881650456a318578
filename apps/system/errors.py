"""Refusals: each class carries its HTTP status, public code and sentence; the API renders them in one place."""

from __future__ import annotations

from typing import Any

MAX_FAULTS = 20  # of one request that are reported


class DomainError(Exception):
    """A refusal that is shown to the caller.

    `status` is the HTTP status, `code` the public stable code, `message` a sentence with `{names}` filled from the
    keyword arguments, `details` maps a field to what is wrong with it, `headers` go with the answer.
    """

    status = 500
    code = "INTERNAL_ERROR"
    message = "Something went wrong on our side; the log has the details."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **facts: Any,
    ) -> None:
        self.facts = facts
        self.details = details
        self.headers = headers or {}
        self.text = (message or self.message).format(**facts) if facts else (message or self.message)
        super().__init__(self.text)


class Invalid(DomainError):
    """The request names or contains something that cannot be; nothing was changed."""

    status, code = 400, "VALIDATION_ERROR"
    message = "The request is not valid; see details."

    def __init__(self, message: str | None = None, *, field: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        if field and not self.details:
            self.details = {field: [self.text]}


class TooMuchWork(Invalid):
    """Checking the request takes more work than one request may cause."""

    message = "It takes too much work to check this; give fewer or shorter values."


class Unauthorized(DomainError):
    """No usable token came with the request."""

    status, code = 401, "UNAUTHORIZED"
    message = "Send a valid access token: Authorization: Bearer <token>."


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    status, code = 403, "FORBIDDEN"
    message = "This needs the permission {permission}."


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    status, code = 404, "NOT_FOUND"
    message = "There is no {what} {id}."


class Conflict(DomainError):
    """The thing's present state does not allow this."""

    status, code = 409, "CONFLICT"
    message = "This conflicts with the present state."


class PayloadTooLarge(DomainError):
    """The body is larger than the service reads."""

    status, code = 413, "PAYLOAD_TOO_LARGE"
    message = "The body is larger than {limit} bytes."


class RequestTimeout(DomainError):
    """The body did not arrive in time."""

    status, code = 408, "REQUEST_TIMEOUT"
    message = "The body was not complete within {seconds:g} seconds."


class RateLimited(DomainError):
    """The caller has to wait."""

    status, code = 429, "RATE_LIMITED"
    message = "Too many attempts; try again in {seconds} seconds."

    def __init__(self, *, seconds: int) -> None:
        super().__init__(seconds=seconds, headers={"Retry-After": str(seconds)})


class Unavailable(DomainError):
    """Something this service needs does not answer."""

    status, code = 503, "SERVICE_UNAVAILABLE"
    message = "The service cannot do this now; try again shortly."
