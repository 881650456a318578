"""A client of an event stream: what was sent to it, and what waits to be sent. All of it is on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import Error

from apps.operations.event_stream import queries
from apps.operations.event_stream.messages import KEEPALIVE, RETRY
from apps.operations.event_stream.queries import Filters, Line, WaitStatus
from apps.system.web.requests import ClientGone
from apps.system.web.responses import Exchange

if TYPE_CHECKING:
    from apps.operations.event_stream.feed import Feed

QUIET_SECONDS = 15.0
CHECK_SECONDS = 60.0
# What may wait for one client, in bytes; one that is further behind is disconnected and may resume.
MAX_WAITING_BYTES = 1024 * 1024


class Follower:
    """Sends what is stored, then what is new, until the client leaves, reads too slowly, or may not read any more."""

    operation: UUID | None = None

    def __init__(self, feed: Feed, exchange: Exchange, is_allowed: Callable[[], bool]):
        self.feed, self.exchange, self.is_allowed = feed, exchange, is_allowed
        self.begun = False
        self.watermark = 0
        self.parts: list[Any] = []
        self.waiting_bytes = 0
        self.checked_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None

    def begin(self, watermark: int, wait_status: WaitStatus | None) -> None:
        """Start: everything after the line `watermark` is queued from now on."""
        self.begun, self.watermark = True, watermark
        if wait_status is not None:
            self.take_wait_status(wait_status)
        self.exchange.news.set()

    def take_wait_status(self, wait_status: WaitStatus) -> None:
        """Queue what the operation waits for now, or that it has ended."""
        self.take(wait_status, len(wait_status.text))

    def take(self, part: Any, size: int) -> None:
        """Queue something to be sent."""
        self.parts.append(part)
        self.waiting_bytes += size
        if self.waiting_bytes > MAX_WAITING_BYTES and self.task:
            self.exchange.leave()
            self.task.cancel()  # it may be sending
        self.exchange.news.set()

    async def run(self) -> None:
        """Send everything. Raises ClientGone."""
        self.task = asyncio.current_task()
        self.feed.add(self)
        try:
            await self.exchange.send_part(RETRY)
            while not self.begun:
                await self.wait()
            async for content in self.stored():
                await self.exchange.send_part(content)
            await self.send_queued()
        except Error as error:
            raise ClientGone from error  # the client comes back and goes on where it was
        except asyncio.CancelledError as error:
            if not self.exchange.left:
                raise
            raise ClientGone from error
        finally:
            self.feed.remove(self)

    async def send_queued(self) -> None:
        """Send what is queued, until there can be no more. Raises ClientGone."""
        while True:
            self.exchange.news.clear()
            parts, self.parts, self.waiting_bytes = self.parts, [], 0
            if content := b"".join(self.texts(parts)):
                await self.exchange.send_part(content)
            if self.has_ended():
                await self.exchange.send_part(b"", more=False)
                return
            if not self.parts:
                await self.wait()

    async def wait(self) -> None:
        """Wait for news; send a keepalive from time to time. Raises ClientGone."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self.exchange.news.wait()
        except TimeoutError:
            await self.exchange.send_part(KEEPALIVE)
        if time.monotonic() - self.checked_at > CHECK_SECONDS:
            self.checked_at = time.monotonic()
            if not await self.feed.read(self.is_allowed):
                raise ClientGone
        if self.exchange.left:
            raise ClientGone
        if not self.begun:
            self.exchange.news.clear()

    def stored(self) -> AsyncIterator[bytes]:
        """Yield what was there before the client came."""
        raise NotImplementedError

    def texts(self, parts: list[Any]) -> list[bytes]:
        """Return what is to be sent of the parts."""
        raise NotImplementedError

    def has_ended(self) -> bool:
        """Tell whether no more can come."""
        return False


class OperationFollower(Follower):
    """Follows one operation: its log, what it waits for, and its end."""

    def __init__(self, feed: Feed, exchange: Exchange, is_allowed: Callable[[], bool], operation: UUID, after: int):
        super().__init__(feed, exchange, is_allowed)
        self.operation, self.after = operation, after
        self.last_sent = b""
        self.ending: WaitStatus | None = None
        self.end_sent = False

    async def stored(self) -> AsyncIterator[bytes]:
        """Yield the log so far, in chunks."""
        while lines := await self.feed.read(queries.log, self.operation, self.after):
            self.after = lines[-1].seq
            yield b"".join(line.own for line in lines)

    def texts(self, parts: list[Line | WaitStatus]) -> list[bytes]:
        """Return lines that were not sent yet, and a changed wait status."""
        found = []
        for part in parts:
            if isinstance(part, WaitStatus):
                found += self.wait_status(part)
            elif part.seq > self.after:
                self.after = part.seq
                found.append(part.own)
        if self.ending and self.after >= self.ending.last:
            found.append(self.ending.text)
            self.end_sent = True
        return found

    def wait_status(self, wait_status: WaitStatus) -> list[bytes]:
        """Return the message unless it was sent last; an end waits for the last line."""
        self.ending = wait_status if wait_status.ended else None
        if wait_status.ended or wait_status.text == self.last_sent:
            return []
        self.last_sent = wait_status.text
        return [wait_status.text]

    def has_ended(self) -> bool:
        """Tell whether the end was sent."""
        return self.end_sent


class SharedFollower(Follower):
    """Follows all operations that pass its filters: their states and their logs.

    It ends where the one operation of its filters is deleted.
    """

    def __init__(
        self, feed: Feed, exchange: Exchange, is_allowed: Callable[[], bool], filters: Filters, after: int | None
    ):
        super().__init__(feed, exchange, is_allowed)
        self.filters, self.after = filters, after
        self.operation = filters.operation
        self.is_gone = False

    def take_wait_status(self, wait_status: WaitStatus) -> None:
        """Notice that the operation was deleted."""
        self.is_gone = wait_status == queries.GONE
        self.exchange.news.set()

    def has_ended(self) -> bool:
        """Tell whether the operation was deleted."""
        return self.is_gone

    async def stored(self) -> AsyncIterator[bytes]:
        """Yield the lines since the client left off, the states of their operations, then of what is unfinished."""
        after = self.watermark if self.after is None else self.after
        touched: set[UUID] = set()
        while lines := await self.feed.read(queries.lines_between, after, self.watermark, self.filters):
            after = lines[-1].id
            touched |= {line.operation for line in lines}
            yield b"".join(line.shared for line in lines)
        ended = [state for state in await self.feed.read(queries.states_of_all, touched) if state.finished]
        for states in (ended, await self.feed.read(queries.unfinished_states, self.filters)):
            yield b"".join(state.shared for state in states)

    def texts(self, parts: list[tuple[int, bytes]]) -> list[bytes]:
        """Return what was not stored when the client came."""
        return [text for last, text in parts if last > self.watermark]
