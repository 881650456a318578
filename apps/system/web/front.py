"""The ASGI application that the web server serves.

A request's body is received on the event loop, within limits of size and time; only then does one of a fixed number of
threads run the synchronous application. So a client that sends or reads slowly, or not at all, holds no thread.
"""

from __future__ import annotations

import logging
import resource
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from django.conf import settings

from apps.system.api.errors import body as error_body
from apps.system.api.rendering import MEDIA_TYPE
from apps.system.errors import DomainError, Unavailable
from apps.system.web.requests import BodyReader, ClientGone, Receive, Scope, Send, environ_of
from apps.system.web.responses import EventLoopResponse, Exchange, SlowReaders, WSGIApplication

logger = logging.getLogger(__name__)
# Requests that wait for a thread; beyond it, further ones are refused.
MAX_QUEUED = 1000


class Front:
    """Serves a WSGI application over ASGI."""

    def __init__(self, application: WSGIApplication):
        self.application = application
        self.threads = settings.WEB_THREADS
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="request")
        self.slow_readers = SlowReaders(self.threads // 2)
        self.bodies = BodyReader()
        self.active = 0
        raise_file_limit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self.serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await self.serve_request(scope, receive, send)

    async def serve_lifespan(self, receive: Receive, send: Send) -> None:
        """Confirm that the server starts and stops."""
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the body, then answer."""
        try:
            body = await self.bodies.read(scope["headers"], receive)
        except ClientGone:
            return
        except DomainError as error:
            await refuse(send, error)
            return
        try:
            if self.active >= self.threads + MAX_QUEUED:
                busy = Unavailable("Too many requests are waiting; try again shortly.", headers={"Retry-After": "1"})
                await refuse(send, busy)
                return
            await self.answer(environ_of(scope, body), Exchange(receive, send, self.slow_readers))
        finally:
            self.bodies.release(body)

    async def answer(self, environ: dict[str, Any], exchange: Exchange) -> None:
        """Run the application in a thread and send what it answers."""
        self.active += 1
        if self.active > self.threads:
            exchange.watch()  # a client that gives up while its request waits is not served
        call = exchange.loop.run_in_executor(self.pool, exchange.serve, self.application, environ)
        try:
            result = await call
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer
            logger.exception("%s %s failed outside any view", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            result = None if exchange.writer else failure(exchange)
        finally:
            self.active -= 1
        try:
            await deliver(result, exchange)
        except ClientGone:
            pass
        finally:
            exchange.close()


async def deliver(result: bytes | EventLoopResponse | None, exchange: Exchange) -> None:
    """Send the result of `Exchange.serve`. Raises ClientGone."""
    if exchange.writer:
        await exchange.writer
    elif isinstance(result, EventLoopResponse):
        exchange.watch()
        await exchange.start()
        if exchange.is_head:
            await exchange.send_part(b"", more=False)
        else:
            await result.write_to(exchange)
    elif result is not None:
        await exchange.start()
        await exchange.send({"type": "http.response.body", "body": result, "more_body": False})


async def refuse(send: Send, error: DomainError) -> None:
    """Answer an error without the application, and end the connection, for its body may not have been read."""
    headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(error_body(error)), "more_body": False})


def failure(exchange: Exchange) -> bytes:
    """Return the body of an answer to a request that failed, and set its status."""
    error = DomainError()
    exchange.status, exchange.headers = error.status, [(b"content-type", MEDIA_TYPE.encode())]
    return orjson.dumps(error_body(error))


def raise_file_limit() -> None:
    """Allow as many open files, and so connections, as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
