"""An operation's log as a live stream (server-sent events, as the HTML standard defines them)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
from django.http import StreamingHttpResponse

from apps.operations.api.serializers import EventOut, OperationOut
from apps.operations.models import Operation
from apps.operations.why import Reason, reason_for
from apps.system.errors import Unavailable

MEDIA_TYPE = "text/event-stream"
LOOK_SECONDS = 0.25
QUIET_SECONDS = 15.0
LONGEST_SECONDS = 300.0
MOST_STREAMS = 8

streams = threading.BoundedSemaphore(MOST_STREAMS)


def wants_stream(request: Any) -> bool:
    """Tell whether the client asks for a stream."""
    return MEDIA_TYPE in request.headers.get("Accept", "")


def stream(operation: Operation, after: int) -> StreamingHttpResponse:
    """Answer the log from `after` on, live until the operation has ended and nothing is left to undo.

    A stream is cut after five minutes; a client goes on with `Last-Event-ID`. Each holds a thread of the web server, so
    a process serves eight at a time. Raises Unavailable.
    """
    if not streams.acquire(blocking=False):
        raise Unavailable("Too many streams are open here; try again shortly.", headers={"Retry-After": "5"})
    response = StreamingHttpResponse(Lines(operation, after), content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


class Lines:
    """The stream's text; gives its place back when it is closed, read to the end or not."""

    def __init__(self, operation: Operation, after: int):
        self.text = lines(operation, after)
        self.open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.text)

    def close(self) -> None:
        """End the stream."""
        self.text.close()
        if self.open:
            self.open = False
            streams.release()


def lines(operation: Operation, after: int) -> Iterator[bytes]:
    """Yield log lines as they come, what is waited for whenever that changes, and the outcome at the end."""
    yield b"retry: 1000\n\n"
    told: Reason | None = None
    begin = spoken = time.monotonic()
    while time.monotonic() - begin < LONGEST_SECONDS:
        operation.refresh_from_db()
        for event in operation.events.filter(seq__gt=after):
            after, spoken = event.seq, time.monotonic()
            yield message("log", EventOut(event).data, id=event.seq)
        reason = reason_for(operation)
        if reason is None:
            yield message("end", OperationOut(operation).data)
            return
        if (reason.code, reason.message) != (told and (told.code, told.message)):
            told, spoken = reason, time.monotonic()
            yield message("waiting", {"code": reason.code, "message": reason.message, "data": reason.data})
        if time.monotonic() - spoken > QUIET_SECONDS:
            spoken = time.monotonic()
            yield b": still here\n\n"
        time.sleep(LOOK_SECONDS)


def message(name: str, data: Any, id: int | None = None) -> bytes:
    """Return one message of the stream."""
    number = b"" if id is None else b"id: %d\n" % id
    return number + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(dict(data)) + b"\n\n"
