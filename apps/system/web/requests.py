"""Receiving a request on the event loop: its bounded body, and the WSGI environment made of its ASGI scope."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings

from apps.system.errors import PayloadTooLarge, RequestTimeout, Unavailable

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# The bodies that one process holds at a time, in bytes; beyond it, further ones are refused.
MAX_HELD_BYTES = 64 * 1024 * 1024
# What is read and thrown away of a body that is too large, so that the client reads the refusal; in bytes.
MAX_DISCARDED_BYTES = 16 * 1024 * 1024


class ClientGone(Exception):
    """The client closed the connection."""


class BodyReader:
    """Receives bodies, and counts the bytes held by all of them together."""

    def __init__(self) -> None:
        self.held = 0

    async def read(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the whole body of a request.

        The bytes count as held until `release`. Raises PayloadTooLarge, RequestTimeout, Unavailable, ClientGone.
        """
        known = dict(headers)
        length = known.get(b"content-length", b"")
        if b"transfer-encoding" not in known and length in (b"", b"0"):
            return b""
        try:
            async with asyncio.timeout(settings.BODY_SECONDS):
                if length.isdigit() and int(length) > settings.MAX_BODY_BYTES:
                    if b"expect" not in known:  # a client that asks first has not sent its body yet
                        await self.discard(receive)
                    raise PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
                return await self.collect(receive)
        except TimeoutError as error:
            raise RequestTimeout(seconds=settings.BODY_SECONDS) from error

    async def collect(self, receive: Receive) -> bytes:
        """Receive the body. Raises PayloadTooLarge, Unavailable, ClientGone."""
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                part, more = await receive_part(receive)
                parts.append(part)
                size += len(part)
                self.held += len(part)
                if size > settings.MAX_BODY_BYTES:
                    await self.discard(receive)
                    raise PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
                if self.held > MAX_HELD_BYTES:
                    raise Unavailable(
                        "Too many large requests at once; try again shortly.", headers={"Retry-After": "1"}
                    )
                if not more:
                    return b"".join(parts)
        except BaseException:
            self.held -= size
            raise

    async def discard(self, receive: Receive) -> None:
        """Receive the rest of a body that is refused, up to a limit. Raises ClientGone."""
        size, more = 0, True
        while more and size < MAX_DISCARDED_BYTES:
            part, more = await receive_part(receive)
            size += len(part)

    def release(self, body: bytes) -> None:
        """Stop counting a body that `read` returned."""
        self.held -= len(body)


async def receive_part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of the body, and whether more follows. Raises ClientGone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of a request whose body has been received."""
    client, server = scope.get("client") or ("", ""), scope.get("server") or ("", "")
    path = scope["raw_path"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        add_header(environ, name, value.decode("latin-1"))
    return environ


def add_header(environ: dict[str, Any], name: bytes, value: str) -> None:
    """Add a header; one that comes several times is joined in the order given (RFC 9110, 5.3).

    Names with an underscore are dropped: in the environment they could not be distinguished from those with a dash, and
    `X_Forwarded_For` would pass for what a proxy has set.
    """
    if b"_" in name or name in (b"content-length", b"transfer-encoding"):
        return  # the body is here whole, with the length that it really has
    key = name.decode("latin-1").upper().replace("-", "_")
    if key != "CONTENT_TYPE":
        key = f"HTTP_{key}"
    separator = "; " if key == "HTTP_COOKIE" else ","
    environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
