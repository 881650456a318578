"""What a step may raise, and what the engine refuses."""

from __future__ import annotations

from apps.system.errors import Conflict


class StepError(Exception):
    """A step did not finish; `code` is public and stable, `message` a sentence for people, `data` goes to the log."""

    def __init__(self, code: str, message: str, **data):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Refused(StepError):
    """The step can never succeed as asked: the operation fails with this code and message."""


class Retry(StepError):
    """The step may succeed later: it is tried again after `after` seconds, or, when None, after a growing pause."""

    def __init__(self, code: str, message: str, *, after: float | None = None, **data):
        super().__init__(code, message, **data)
        self.after = after


class TargetBusy(Conflict):
    """Another operation is changing the same thing."""

    message = "{target} is held by operation {holder}; wait for it to end or cancel it."


class AlreadyEnded(Conflict):
    """An operation that has ended cannot be cancelled."""

    message = "Operation {operation} has ended as {status} and cannot be cancelled."


class LeaseLost(Exception):
    """Somebody else holds the operation now: whatever this worker still wants to say no longer counts."""


class UnknownKind(LookupError):
    """No app has registered this kind of operation."""
