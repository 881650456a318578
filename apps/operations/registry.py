"""The kinds of operation there are; each app registers its own from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from apps.operations.errors import UnknownKind
from apps.operations.models import Operation, OperationQuerySet
from apps.operations.steps import Step


def nothing(operation: Operation) -> None:
    """Settle nothing."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of operation.

    `run` does one short step in the worker; run twice, it adopts what the first run made. `undo` takes back what a
    cancelled operation made. `settle` says what an outcome means for the resource row, in the transaction that records
    it; it sees the operation as it will be, and is also called when undoing begins and ends. The others are for
    workflows: `submit(workspace=…, actor=…, parent=…, **input)` is the service behind the API, `input` checks and
    completes its arguments, `permission` is what the caller needs. `inverse(result, input)` returns the kind and input
    that take a finished operation back, or None; `leftover(operation)` those that take away what a failed one left.
    """

    name: str
    title: str
    run: Step
    undo: Step | None = None
    settle: Callable[[Operation], None] = nothing
    deadline_seconds: float = 1800
    most_tries: int = 10
    submit: Callable[..., Operation] | None = None
    input: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    permission: str = ""
    inverse: Callable[[dict[str, Any], dict[str, Any]], tuple[str, dict[str, Any]] | None] | None = field(default=None)
    leftover: Callable[[Operation], tuple[str, dict[str, Any]] | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Timer:
    """A function (by its dotted name) that runs each so many minutes, on one node."""

    name: str
    function: str
    minutes: int


_kinds: dict[str, Kind] = {}
_timers: dict[str, Timer] = {}


def register(kinds: Iterable[Kind]) -> None:
    """Add kinds; a later one of the same name replaces the earlier."""
    _kinds.update({kind.name: kind for kind in kinds})


def kind_named(name: str) -> Kind:
    """Return a kind. Raises UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(name) from None


def kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    return dict(_kinds)


def register_timer(timer: Timer) -> None:
    """Add a timer."""
    _timers[timer.name] = timer


def timers() -> list[Timer]:
    """Return all timers."""
    return list(_timers.values())


# Apps above fill this in: each takes the operations that are old enough to be deleted and returns those that may be.
keepers: list[Callable[[OperationQuerySet], OperationQuerySet]] = []
