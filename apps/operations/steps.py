"""What a handler gets and what it returns: the vocabulary of slow work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.operations.errors import LeaseLost
from apps.operations.models import Event, Operation


@dataclass(frozen=True)
class Lease:
    """The right to change one operation: good as long as nobody has claimed or cancelled it since."""

    operation_id: UUID
    fence: int


@dataclass(frozen=True)
class Done:
    """The work is finished; `result` is what the API answers from now on."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Come back in `seconds`; `state` replaces the stored state when given, `note` says what is waited for.

    Waiting holds no worker. `state` is what the next call finds in `context.state`.
    """

    seconds: float
    state: dict[str, Any] | None = None
    note: str = ""


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
        """What earlier calls stored."""
        return self.operation.state

    def log(self, message: str, *, level: Event.Level = Event.Level.INFO, **data: Any) -> None:
        """Append a line to the operation's log. Raises LeaseLost."""
        self._write(event=(level, message, data))

    def save(self, **state: Any) -> None:
        """Merge facts into the stored state, now. Raises LeaseLost."""
        self.operation.state = {**self.operation.state, **state}
        self._write(state=self.operation.state)

    def _write(self, **changes: Any) -> None:
        if not self.write(self.lease, **changes):
            raise LeaseLost


Step = Callable[[Context], Done | Wait]
