"""The kinds of operation there are; each app registers its own from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any

from apps.operations.errors import UnknownKind
from apps.operations.handler_api import Step
from apps.operations.models import Operation, OperationQuerySet
from apps.operations.outcomes import Outcome

Compensation = tuple[str, dict[str, Any]]  # the kind and input of the operation that takes another back


def apply_nothing(operation: Operation, outcome: Outcome) -> None:
    """Change nothing: the operation has no resource row."""


@dataclass(frozen=True, kw_only=True)
class OperationKind:
    """One kind of operation.

    In the worker:

    - `run` does one short step; run twice, it adopts what the first run made.
    - `compensate` takes back what a cancelled operation made, in steps like `run`.
    - `apply_outcome(operation, outcome)` brings the resource row to what the operation came to, in the transaction that
      records the outcome. It sees the operation as it will be, and is called when undoing begins and when it ends.
    - `deadline_seconds` and `max_attempts` bound the whole operation and the retries in a row of one step.
    - `keep_days` after its end it is deleted, where that is sooner than the setting KEEP_DAYS.
    - `secrets(operation)` yields the secret values in its input, which are hidden in all that is written about it.

    For workflows:

    - `submit(workspace=…, actor=…, parent=…, **input)` is the service behind the API.
    - `validate_input(input)` checks and completes its arguments; `permission` is what the caller needs.
    - `destroys` says that it deletes what others may have made: a workflow that uses it asks for `permission` too.
    - `preflight(workspace=…, **input)` raises what is certain to refuse it, before a workflow's first step begins.
    - `secret_input(input)` yields the secret values in its arguments, which are hidden where these are shown.
    - `describe(workspace=…, **input)` says what it would change, for a preview; raises what would refuse it.
    - `price(workspace=…, **input)` returns what its result costs while it is there, None when that is not known.
    - `compensation(result, input)` returns the operation that takes a completed one back, or None.
    - `cleanup(operation)` returns the operation that removes what a failed one left, or None.
    """

    name: str
    title: str
    run: Step
    compensate: Step | None = None
    apply_outcome: Callable[[Operation, Outcome], None] = apply_nothing
    deadline_seconds: float = 1800
    max_attempts: int = 10
    keep_days: float | None = None
    secrets: Callable[[Operation], Iterable[Any]] | None = None
    submit: Callable[..., Operation] | None = None
    validate_input: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    permission: str = ""
    destroys: bool = False
    secret_input: Callable[[Mapping[str, Any]], Iterable[Any]] | None = None
    preflight: Callable[..., None] | None = None
    describe: Callable[..., str] | None = None
    price: Callable[..., dict[str, str] | None] | None = None
    compensation: Callable[[dict[str, Any], dict[str, Any]], Compensation | None] | None = None
    cleanup: Callable[[Operation], Compensation | None] | None = None


@dataclass(frozen=True, kw_only=True)
class PeriodicTask:
    """A function (by its dotted name) that runs each so many minutes, on one node."""

    name: str
    function: str
    minutes: int


@dataclass(frozen=True, kw_only=True)
class NodeProcess:
    """A process of each node beside its workers: `run(node, folder)` until SIGTERM, or until there is nothing to do.

    It is started when `is_needed()` finds work for it in the database, which is asked each other second, and at once
    after `node_processes.wake_supervisor()` in a step. `folder` is the node's private directory, of a short path; it
    goes when the node ends, however it ends. What the process leaves behind when it dies is killed before it is started
    again.
    """

    name: str
    run: Callable[[str, Path], None]
    is_needed: Callable[[], bool]


RetentionFilter = Callable[[OperationQuerySet], OperationQuerySet]

_kinds: dict[str, OperationKind] = {}
_kind_modules: list[str] = []
_loading = RLock()
_node_processes: dict[str, NodeProcess] = {}
_gauges: list[Callable[[], Iterable[Any]]] = []
_timers: dict[str, PeriodicTask] = {}
_limited: list[Callable[[], Iterable[str]]] = []


def register_kinds(kinds: Iterable[OperationKind] | str) -> None:
    """Add kinds; a later one of the same name replaces the earlier.

    Of a module's dotted name, these are its KINDS. It is imported, with all handlers, when a kind is first asked for.
    """
    if isinstance(kinds, str):
        _kind_modules.append(kinds)
    else:
        load_kinds().update({kind.name: kind for kind in kinds})


def load_kinds() -> dict[str, OperationKind]:
    """Import the kinds that are registered by their module; returns all."""
    with _loading:
        while _kind_modules:
            _kinds.update({kind.name: kind for kind in import_module(_kind_modules[0]).KINDS})
            del _kind_modules[0]
    return _kinds


def kind_named(name: str) -> OperationKind:
    """Return a kind. Raises UnknownKind."""
    try:
        return load_kinds()[name]
    except KeyError:
        raise UnknownKind(name) from None


def kinds() -> dict[str, OperationKind]:
    """Return all kinds by name."""
    return dict(load_kinds())


def register_periodic_task(timer: PeriodicTask) -> None:
    """Add a timer."""
    _timers[timer.name] = timer


def register_node_process(process: NodeProcess) -> None:
    """Add a process that each node runs beside its workers."""
    _node_processes[process.name] = process


def node_processes() -> list[NodeProcess]:
    """Return the processes that each node runs beside its workers."""
    return list(_node_processes.values())


def register_gauges(source: Callable[[], Iterable[Any]]) -> None:
    """Add a source of Prometheus metrics that are read from the database when they are asked for."""
    _gauges.append(source)


def gauges() -> Iterator[Any]:
    """Yield the metrics of all sources."""
    for source in _gauges:
        yield from source()


def register_limited(names: Callable[[], Iterable[str]]) -> None:
    """Add a source of names, such as `account:1`, of what may have a concurrency limit."""
    _limited.append(names)


def limited_names() -> list[str]:
    """Return the names of all that may have a concurrency limit."""
    return [name for source in _limited for name in source()]


def periodic_tasks() -> list[PeriodicTask]:
    """Return all timers."""
    return list(_timers.values())


_retention_filters: list[RetentionFilter] = []


def register_retention_filter(select: RetentionFilter) -> None:
    """Add a function that selects, from operations old enough to be deleted, those that may be."""
    _retention_filters.append(select)


def retention_filters() -> list[RetentionFilter]:
    """Return all retention filters."""
    return list(_retention_filters)
