"""The database queries of event streams; called in threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max, QuerySet

from apps.operations.api.serializers import EventOut, OperationOut
from apps.operations.event_stream.messages import message, with_context
from apps.operations.models import Event, Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.system.api.json_rows import json_row

CHUNK = 1000
# SQLite takes so many parameters at least.
MAX_IDS = 900


@dataclass(frozen=True)
class Filters:
    """The filters of a stream of all operations; an empty field matches everything."""

    workspace: str = ""
    kind: str = ""
    operation: UUID | None = None

    def match(self, item: Line | State) -> bool:
        """Tell whether a message matches."""
        return (
            self.workspace in ("", item.workspace)
            and self.kind in ("", item.kind)
            and self.operation in (None, item.operation)
        )

    def lookups(self, prefix: str = "") -> dict[str, str | UUID]:
        """Return the same as lookups of a query."""
        given = {"workspace__name": self.workspace, "kind": self.kind, "pk": self.operation}
        return {prefix + name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Line:
    """A line of a log: `own` for the stream of its operation, `shared` for the stream of all."""

    id: int
    seq: int
    operation: UUID
    workspace: str
    kind: str
    own: bytes
    shared: bytes


@dataclass(frozen=True)
class State:
    """An operation as it was when it was read."""

    operation: UUID
    workspace: str
    kind: str
    status: str
    finished: bool
    shared: bytes

    @property
    def key(self) -> tuple[str, bool]:
        """Return what makes a change worth sending."""
        return self.status, self.finished


@dataclass(frozen=True)
class WaitStatus:
    """What an operation waits for, or, when nothing is left to do, its end: sent after its line `last`."""

    ended: bool
    last: int
    text: bytes


GONE = WaitStatus(True, 0, b"")  # of an operation that was deleted


def lines(events: QuerySet[Event]) -> list[Line]:
    """Render lines of logs, a chunk at most."""
    context = ("id", "seq", "operation_id", "operation__workspace__name", "operation__kind")
    return [line(*row) for row in events.values_list(*context, json_row(EventOut))[:CHUNK]]


def line(id: int, seq: int, operation: UUID, workspace: str | None, kind: str, text: str) -> Line:
    """Render a line."""
    shared = with_context(text, operation=str(operation), workspace=workspace or "", kind=kind)
    return Line(id, seq, operation, workspace or "", kind, message("log", text, seq), message("log", shared, id))


def log(operation: UUID, after: int) -> list[Line]:
    """Render the next lines of one log."""
    return lines(Event.objects.filter(operation=operation, seq__gt=after).order_by("seq"))


def lines_between(after: int, until: int, filters: Filters) -> list[Line]:
    """Render the next lines of all logs, up to an id."""
    matching = Event.objects.filter(id__gt=after, id__lte=until, **filters.lookups("operation__"))
    return lines(matching.order_by("id"))


def new_lines(after: int, until: int) -> Iterator[list[Line]]:
    """Render all lines of all logs between two ids, in chunks."""
    while found := lines_between(after, until, Filters()):
        yield found
        after = found[-1].id


def states(operations: QuerySet[Operation]) -> list[State]:
    """Render operations as they are now."""
    context = ("pk", "workspace__name", "kind", "status", "due_at")
    return [state(*row) for row in operations.values_list(*context, json_row(OperationOut))]


def state(operation: UUID, workspace: str | None, kind: str, status: str, due_at: object, text: str) -> State:
    """Render an operation."""
    shared = message("operation", with_context(text, workspace=workspace or "", kind=kind))
    return State(operation, workspace or "", kind, status, due_at is None, shared)


def states_of(ids: Iterable[UUID]) -> list[State]:
    """Render the named operations."""
    return states(Operation.objects.filter(pk__in=list(ids)).order_by())


def unfinished_states(filters: Filters) -> list[State]:
    """Render the unfinished operations, the latest thousand of them, oldest first."""
    latest = Operation.objects.unfinished().filter(**filters.lookups()).order_by("-created_at", "-pk")
    return states(latest[:CHUNK])[::-1]


def wait_statuses(ids: Iterable[UUID]) -> dict[UUID, WaitStatus]:
    """Return for each operation what it waits for, or how it ended."""
    found = Operation.objects.filter(pk__in=list(ids)).select_related("workspace").order_by()
    return {operation.pk: wait_status(operation) for operation in found}


def wait_status(operation: Operation) -> WaitStatus:
    """Return what an operation waits for, or how it ended."""
    reason = wait_reason(operation)
    if reason is None:
        last = operation.events.aggregate(last=Max("seq"))["last"] or 0
        return WaitStatus(True, last, message("end", dict(OperationOut(operation).data)))
    data = {"code": reason.code, "message": reason.message, "data": reason.data}
    return WaitStatus(False, 0, message("waiting", data))


def states_of_all(ids: set[UUID]) -> list[State]:
    """Render the named operations, however many."""
    return [state for batch in batches(ids) for state in states_of(batch)]


def batches(ids: set[UUID]) -> Iterator[list[UUID]]:
    """Split ids into lists that fit one query."""
    everything = list(ids)
    for start in range(0, len(everything), MAX_IDS):
        yield everything[start : start + MAX_IDS]
