"""One response on its way from a thread to the client: whole, streamed with backpressure, or left to the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.http import StreamingHttpResponse

from apps.system.web.requests import ClientGone, Receive, Send

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
logger = logging.getLogger(__name__)

# How many bytes a thread may be ahead of the client before it waits.
RUN_AHEAD_BYTES = 256 * 1024
# A client that takes nothing for so long is disconnected.
STALL_SECONDS = 15.0


class EventLoopResponse(StreamingHttpResponse):
    """A response whose body is written on the event loop, so that it holds no thread however long it lasts."""

    async def write_to(self, exchange: Exchange) -> None:
        """Write the body with `exchange.send_part`. Raises ClientGone, which ends the response."""
        raise NotImplementedError


class SlowReaders:
    """Lets a few threads wait for clients that read slowly; the client of one more is disconnected."""

    def __init__(self, limit: int) -> None:
        self.places = threading.Semaphore(limit)

    def wait(self, room: threading.Event) -> bool:
        """Wait until there is room for more; False when there is none in time, or too many wait already."""
        if not self.places.acquire(blocking=False):
            return False
        try:
            return room.wait(STALL_SECONDS)
        finally:
            self.places.release()


class Exchange:
    """A request's answer: `serve` runs in a thread, everything else on the event loop."""

    def __init__(self, receive: Receive, send: Send, slow_readers: SlowReaders):
        self.receive, self.send, self.slow_readers = receive, send, slow_readers
        self.loop = asyncio.get_running_loop()
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_head = False
        self.left = False
        self.watcher: asyncio.Task[None] | None = None
        self.writer: asyncio.Task[None] | None = None
        # Handed over by the thread and not sent yet.
        self.lock = threading.Lock()
        self.parts: list[bytes] = []
        self.unsent = 0
        self.complete = False
        self.room = threading.Event()
        self.news = asyncio.Event()

    # ── in a thread ───────────────────────────────────────────────────────────────────────────────────────────────────
    def serve(self, application: WSGIApplication, environ: dict[str, Any]) -> bytes | EventLoopResponse | None:
        """Run the application; return a whole body, or what writes one on the event loop, or None after streaming."""
        if self.left:
            return None
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
        result = application(environ, self.start_response)
        try:
            if isinstance(result, EventLoopResponse):
                return result
            if not getattr(result, "streaming", False):
                return b"".join(result)
            self.stream(() if self.is_head else result)
            return None
        finally:
            if close := getattr(result, "close", None):
                close()

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """Keep status and headers, as PEP 3333 has it."""
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    def stream(self, chunks: Iterable[bytes]) -> None:
        """Hand over the chunks one after the other, never far ahead of the client."""
        self.loop.call_soon_threadsafe(self.start_writing)
        end = self.leave
        try:
            for chunk in chunks:
                self.offer(chunk)
            end = self.finish
        except ClientGone:
            pass
        finally:
            self.loop.call_soon_threadsafe(end)

    def offer(self, chunk: bytes) -> None:
        """Hand over a chunk; wait while too much is unsent. Raises ClientGone."""
        with self.lock:
            self.parts.append(chunk)
            self.unsent += len(chunk)
            is_full = self.unsent > RUN_AHEAD_BYTES
            if is_full:
                self.room.clear()
        self.loop.call_soon_threadsafe(self.news.set)
        if self.left or (is_full and not self.slow_readers.wait(self.room)) or self.left:
            raise ClientGone

    # ── on the event loop ─────────────────────────────────────────────────────────────────────────────────────────────
    async def start(self) -> None:
        """Send status and headers."""
        await self.send({"type": "http.response.start", "status": self.status, "headers": self.headers})

    async def send_part(self, part: bytes, *, more: bool = True) -> None:
        """Send a part of the body. Raises ClientGone when the client has left, or takes nothing for too long."""
        if self.left:
            raise ClientGone
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self.send({"type": "http.response.body", "body": part, "more_body": more})
        except TimeoutError as error:
            raise ClientGone from error

    def start_writing(self) -> None:
        """Begin to send what the thread hands over."""
        self.watch()
        self.writer = self.loop.create_task(self.write())

    async def write(self) -> None:
        """Send what the thread hands over, until that is complete. Raises ClientGone."""
        await self.start()
        try:
            while not (self.complete and not self.parts):
                await self.news.wait()
                self.news.clear()
                await self.send_parts()
            await self.send_part(b"", more=False)
        finally:
            self.leave()

    async def send_parts(self) -> None:
        """Send all that is there now, and let the thread go on."""
        with self.lock:
            part, self.parts = b"".join(self.parts), []
        await self.send_part(part)
        with self.lock:
            self.unsent -= len(part)
            if self.unsent <= RUN_AHEAD_BYTES:
                self.room.set()

    def finish(self) -> None:
        """Note that the thread has handed over everything."""
        self.complete = True
        self.news.set()

    def watch(self) -> None:
        """Begin to look whether the client closes the connection."""
        self.watcher = self.watcher or self.loop.create_task(self.wait_for_disconnect())

    async def wait_for_disconnect(self) -> None:
        """Wait until the client has closed the connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.leave()

    def leave(self) -> None:
        """Note that nobody reads any more, so that thread and writer end."""
        self.left = True
        self.room.set()
        self.news.set()

    def close(self) -> None:
        """Stop looking after the client."""
        if self.watcher:
            self.watcher.cancel()
