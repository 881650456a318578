"""What a step may raise, and what the engine refuses."""

from __future__ import annotations

from typing import Any

from apps.system.errors import Conflict, DomainError


class StepError(Exception):
    """A step did not finish; `code` is public and stable, `message` a sentence for people, `data` goes to the log."""

    def __init__(self, code: str, message: str, **data: Any):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Refused(StepError):
    """The step can never succeed as asked: the operation fails with this code and message."""


class Retry(StepError):
    """The step may succeed later: it is tried again after `after` seconds, or, when None, after a growing pause."""

    def __init__(self, code: str, message: str, *, after: float | None = None, **data: Any):
        super().__init__(code, message, **data)
        self.after = after


class Postponed(Exception):  # noqa: N818 - raised as a fact about the step
    """The step could not begin: it is repeated after some seconds, which does not count as a failed attempt.

    `message` says what is waited for.
    """

    def __init__(self, seconds: float, message: str):
        super().__init__(message)
        self.seconds, self.message = seconds, message


class TargetBusy(Conflict):
    """Another operation is changing the same thing."""

    message = "{target} is held by operation {holder}; wait for it to end or cancel it."


class AlreadyEnded(Conflict):
    """An operation that has ended cannot be cancelled."""

    message = "Operation {operation} has ended as {status} and cannot be cancelled."


class CannotRunAgain(Conflict):
    """An operation that has not ended, is part of another, or is of a kind that is not repeated."""

    message = "It cannot be run again: it has not ended, is part of another, or is of a kind that is not repeated."


class AsksForValues(Conflict):
    """An operation that is done again by a form which has its values, for its secrets are asked for anew."""

    message = "It is run again from its own page, which shows its values and asks for its secrets."


class LeaseLost(Exception):
    """The lease is held by another worker; drop this worker's writes."""


class UnknownKind(LookupError):
    """No app has registered this kind of operation."""


class TooManyStreams(DomainError):
    """The user holds as many event streams open as one may."""

    status, code = 429, "RATE_LIMITED"
    message = (
        "You hold {limit} event streams open, and no more are allowed; close one, or follow all operations by "
        "GET /v1/events."
    )

    def __init__(self, *, limit: int) -> None:
        super().__init__(limit=limit, headers={"Retry-After": "10"})
