"""Finds what has changed in the database since the last poll; used by one thread."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.operations.event_stream import queries
from apps.operations.event_stream.queries import Line, State, WaitStatus
from apps.operations.event_stream.watermark import Watermark, last_id
from apps.operations.models import Operation

MAX_REMEMBERED = 20_000
# What a due operation waits for depends on others, so it is read in turn, for so many at each poll.
MAX_DUE = 20


class ChangeTracker:
    """Remembers what was read, to find what has changed."""

    def __init__(self) -> None:
        self.watermark = Watermark()
        self.touched: set[UUID] = set()
        # For the streams of all operations: the last state of each that was yielded.
        self.yielded: OrderedDict[UUID, tuple[str, bool]] = OrderedDict()
        # States that are delivered after the lines up to an id.
        self.held: deque[tuple[int, list[State]]] = deque()
        self.unfinished: set[UUID] | None = None
        # For the streams of one operation each.
        self.rows: dict[UUID, tuple[Any, ...]] = {}
        self.wait_statuses: dict[UUID, WaitStatus] = {}
        self.due: deque[UUID] = deque()

    def lines(self) -> Iterator[list[Line]]:
        """Yield the lines that have settled since the last call, in chunks; none at the first call."""
        before, until = self.watermark.id, self.watermark.poll()
        if before < 0:
            return
        for chunk in queries.new_lines(before, until):
            self.touched.update(line.operation for line in chunk)
            yield chunk

    # ── all operations ────────────────────────────────────────────────────────────────────────────────────────────────
    def poll_states(self) -> None:
        """Hold the states that have changed since the last call; none at the first call.

        What a state was committed with is in the log by now, but perhaps not settled yet.
        """
        if states := self.changed_states():
            self.held.append((last_id(), states))

    def settled_states(self) -> Iterator[list[State]]:
        """Yield the held states whose lines have all been yielded by `lines`."""
        while self.held and self.held[0][0] <= self.watermark.id:
            yield self.held.popleft()[1]

    def changed_states(self) -> list[State]:
        """Return the operations whose state has changed since the last call; none at the first call."""
        now = dict(Operation.objects.unfinished().order_by().values_list("pk", "status"))
        ended = (self.unfinished or set()) - now.keys()
        changed = {pk for pk, status in now.items() if self.yielded.get(pk) != (status, False)}
        first, self.unfinished = self.unfinished is None, set(now)
        candidates, self.touched = changed | ended | (self.touched - now.keys()), set()
        if first:
            self.yielded.update((pk, (status, False)) for pk, status in now.items())
            return []
        return [state for state in queries.states_of_all(candidates) if self.is_new(state)]

    def is_new(self, state: State) -> bool:
        """Tell whether the state was not yielded yet, and remember it."""
        if self.yielded.get(state.operation) == state.key:
            return False
        self.yielded[state.operation] = state.key
        self.yielded.move_to_end(state.operation)
        while len(self.yielded) > max(MAX_REMEMBERED, 2 * len(self.unfinished or ())):
            self.yielded.popitem(last=False)
        return True

    def forget_states(self) -> None:
        """Forget all states: nobody follows all operations any more."""
        self.yielded.clear()
        self.touched.clear()
        self.held.clear()
        self.unfinished = None

    # ── single operations ─────────────────────────────────────────────────────────────────────────────────────────────
    def changed_wait_statuses(self, ids: set[UUID]) -> dict[UUID, WaitStatus]:
        """Return what has changed in what the operations wait for; `GONE` for one that was deleted."""
        before, self.rows = self.rows, {}
        for batch in queries.batches(ids):
            columns = ("pk", "status", "due_at", "lease_owner", "status_message", "updated_at")
            rows = Operation.objects.filter(pk__in=batch).order_by().values_list(*columns)
            self.rows.update((row[0], row) for row in rows)
        changed = {pk for pk, row in self.rows.items() if before.get(pk) != row} | self.next_due()
        found = dict.fromkeys(ids - self.rows.keys(), queries.GONE)
        for batch in queries.batches(changed):
            found |= queries.wait_statuses(batch)
        fresh = {pk: wait_status for pk, wait_status in found.items() if self.wait_statuses.get(pk) != wait_status}
        self.wait_statuses = {pk: wait_status for pk, wait_status in self.wait_statuses.items() if pk in ids} | fresh
        return fresh

    def next_due(self) -> set[UUID]:
        """Return a few of the operations that are due, or were held by a worker whose lease has run out, in turn."""
        now = timezone.now()
        due = {pk for pk, row in self.rows.items() if row[2] is not None and row[2] <= now}
        known = [pk for pk in self.due if pk in due]
        self.due = deque([*known, *due.difference(known)])
        self.due.rotate(-MAX_DUE)
        return set(list(self.due)[-MAX_DUE:])
