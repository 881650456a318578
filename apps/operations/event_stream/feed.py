"""One thread of a web process polls the database for all of its followers, and delivers what is new."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error, close_old_connections, connection

from apps.operations.event_stream.change_tracker import ChangeTracker
from apps.operations.event_stream.followers import Follower, OperationFollower, SharedFollower
from apps.operations.event_stream.queries import Line, State, WaitStatus
from apps.system.database import log_trouble

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

POLL_SECONDS = 0.2
# Polling states takes at most this share of the time.
STATE_SHARE = 0.2


class Feed:
    """The followers of one process; they come and go on the event loop, and the thread runs while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.lock = threading.Lock()
        self.followers: set[Follower] = set()
        self.new: list[Follower] = []
        self.running = False
        self.readers = ThreadPoolExecutor(2, thread_name_prefix="event stream")

    # ── on the event loop ─────────────────────────────────────────────────────────────────────────────────────────────
    def add(self, follower: Follower) -> None:
        """Start a follower at the thread's next poll."""
        with self.lock:
            self.followers.add(follower)
            self.new.append(follower)
            if not self.running:
                self.running = True
                threading.Thread(target=self.run, name="event stream", daemon=True).start()

    def remove(self, follower: Follower) -> None:
        """Forget a follower."""
        with self.lock:
            self.followers.discard(follower)

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function that reads the database, in one of the readers' threads."""
        return await self.loop.run_in_executor(self.readers, with_usable_connection, function, *arguments)

    def deliver_lines(self, lines: list[Line]) -> None:
        """Deliver new lines to those that follow them; streams with equal filters share one text."""
        by_operation: dict[UUID, list[Line]] = defaultdict(list)
        for line in lines:
            by_operation[line.operation].append(line)
        text_for = cache(lambda filters: b"".join(line.shared for line in lines if filters.match(line)))
        for follower in self.of_kind(SharedFollower):
            if text := text_for(follower.filters):
                follower.take((lines[-1].id, text), len(text))
        for follower in self.of_kind(OperationFollower):
            for line in by_operation.get(follower.operation, ()):
                follower.take(line, len(line.own))

    def deliver_states(self, states: list[State]) -> None:
        """Deliver changed states to those that follow all operations."""
        text_for = cache(lambda filters: b"".join(state.shared for state in states if filters.match(state)))
        for follower in self.of_kind(SharedFollower):
            if text := text_for(follower.filters):
                follower.take((sys.maxsize, text), len(text))

    def deliver_wait_statuses(self, wait_statuses: dict[UUID, WaitStatus]) -> None:
        """Deliver what operations wait for now, or that they have ended or were deleted."""
        for follower in self.of_kind(Follower):
            if wait_status := wait_statuses.get(follower.operation):
                follower.take_wait_status(wait_status)

    def begin(self, new: list[Follower], watermark: int, wait_statuses: dict[UUID, WaitStatus]) -> None:
        """Start new followers."""
        for follower in new:
            follower.begin(watermark, wait_statuses.get(follower.operation) if follower.operation else None)

    def of_kind(self, kind: type[Follower]) -> list[Any]:
        """Return the followers of a kind."""
        with self.lock:
            return [follower for follower in self.followers if isinstance(follower, kind)]

    # ── in the thread ─────────────────────────────────────────────────────────────────────────────────────────────────
    def run(self) -> None:
        """Read what is new until the last follower has left."""
        tracker, next_states = ChangeTracker(), 0.0
        try:
            while self.has_followers():
                began = time.monotonic()
                try:
                    next_states = self.poll(tracker, next_states)
                except Error as error:
                    log_trouble(logger, error, "the event streams: %s; trying again")
                    connection.close()
                time.sleep(max(0.02, POLL_SECONDS - (time.monotonic() - began)))
        finally:
            connection.close()

    def has_followers(self) -> bool:
        """Tell whether there is any follower; without one, the thread ends."""
        with self.lock:
            self.running = bool(self.followers)
            return self.running

    def poll(self, tracker: ChangeTracker, next_states: float) -> float:
        """Deliver what is new since the last poll; return when to poll states again, on the monotonic clock."""
        self.poll_lines(tracker)
        if tracker.watermark.id < 0:
            return next_states
        with self.lock:
            new, self.new = self.new, []
        began = time.monotonic()
        if new or began >= next_states:
            self.poll_states(tracker)
            next_states = time.monotonic() + (time.monotonic() - began) / STATE_SHARE
        self.schedule_states(tracker)
        if new:
            self.loop.call_soon_threadsafe(self.begin, new, tracker.watermark.id, dict(tracker.wait_statuses))
        return next_states

    def poll_lines(self, tracker: ChangeTracker) -> None:
        """Deliver the lines that have settled."""
        for lines in tracker.lines():
            self.loop.call_soon_threadsafe(self.deliver_lines, lines)

    def schedule_states(self, tracker: ChangeTracker) -> None:
        """Deliver changed states, after the lines that were there when they were read."""
        if tracker.held:
            self.poll_lines(tracker)
        for states in tracker.settled_states():
            self.loop.call_soon_threadsafe(self.deliver_states, states)

    def poll_states(self, tracker: ChangeTracker) -> None:
        """Poll the states of operations that somebody follows; deliver what single ones wait for."""
        if self.of_kind(SharedFollower):
            tracker.poll_states()
        else:
            tracker.forget_states()
        ids = {follower.operation for follower in self.of_kind(Follower) if follower.operation}
        if wait_statuses := tracker.changed_wait_statuses(ids):
            self.loop.call_soon_threadsafe(self.deliver_wait_statuses, wait_statuses)


def with_usable_connection(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function; a connection that has grown old or is broken is replaced."""
    close_old_connections()
    try:
        return function(*arguments)
    finally:
        close_old_connections()


@cache
def feed_of(loop: asyncio.AbstractEventLoop) -> Feed:
    """Return the feed of the process's event loop."""
    return Feed(loop)
