"""What a handler is called with, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.operations.errors import LeaseLost, Refused, Retry
from apps.operations.models import Event, Operation


@dataclass(frozen=True)
class Lease:
    """The right to change one operation, until it is claimed or cancelled by another."""

    operation_id: UUID
    fence: int


@dataclass(frozen=True)
class Done:
    """The work is finished; `result` is what the API answers from now on."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Come back in `seconds`; `state` replaces the stored state when given, `message` says what is waited for.

    Waiting holds no worker. `state` is what the next call finds in `context.state`. `queued` says that the work itself
    has not begun, as the operation only waits for its turn: its time limit counts from the end of that wait. After any
    wait the failed attempts are counted anew, unless `keeps_attempts`. A new message is logged, unless `is_in_log` says
    that the log tells it already.
    """

    seconds: float
    state: Mapping[str, object] | None = None
    message: str = ""
    queued: bool = False
    keeps_attempts: bool = False
    is_in_log: bool = False


@dataclass(frozen=True)
class Cancelled:
    """The step was not begun, or was interrupted, because a cancel was requested; no handler returns this."""


@dataclass(frozen=True)
class Context:
    """What a handler knows: its operation, and how to log and to store facts before they are lost.

    Log with a sentence and JSON data. `save` stores state at once: call it before anything that cannot be repeated
    blindly. Both raise LeaseLost when another worker has taken over or the operation was cancelled: let it pass.
    """

    operation: Operation
    lease: Lease
    write: Callable[..., bool] = field(repr=False)

    @property
    def params(self) -> dict[str, Any]:
        """The operation's parameters."""
        return self.operation.params

    @property
    def state(self) -> dict[str, Any]:
        """What earlier calls stored; each app's `progress` says what that is, and handlers read it through there."""
        return self.operation.state

    def log(self, message: str, *, level: Event.Level = Event.Level.INFO, **data: Any) -> None:
        """Append a line to the operation's log. Raises LeaseLost."""
        self._write(lines=[(level, message, data)])

    def log_all(self, messages: Iterable[str]) -> None:
        """Append a line for each message, at once. Raises LeaseLost."""
        self._write(lines=[(Event.Level.INFO, message, {}) for message in messages])

    def save(self, **state: Any) -> None:
        """Merge facts into the stored state, now. Raises LeaseLost."""
        self.operation.state = {**self.operation.state, **state}
        self._write(state=self.operation.state)

    def _write(self, **changes: Any) -> None:
        if not self.write(self.lease, self.operation, **changes):
            raise LeaseLost


StepResult = Done | Wait | Refused | Retry | Cancelled
Step = Callable[[Context], Done | Wait]
