"""Bodies that come in chunks, as WSGI gives them: without a length, for want of which Django would read nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import orjson
from django.conf import settings

from apps.system.api.errors import body
from apps.system.api.rendering import MEDIA_TYPE
from apps.system.errors import PayloadTooLarge

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def measured(application: Application) -> Application:
    """Return the application behind a door that reads chunked bodies whole, up to `MAX_BODY_BYTES`."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" not in environ or not environ.get("wsgi.input_terminated"):
            return application(environ, start_response)
        content = read(environ["wsgi.input"], settings.MAX_BODY_BYTES + 1)
        if len(content) > settings.MAX_BODY_BYTES:
            return refuse(start_response)
        measure = {"wsgi.input": BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        return application(environ | measure, start_response)

    return serve


def read(stream: Any, most: int) -> bytes:
    """Return what is in the stream, at most so many bytes; a single read may return less than there is."""
    content = b""
    while len(content) < most and (piece := stream.read(most - len(content))):
        content += piece
    return content


def refuse(start_response: Callable[..., Any]) -> list[bytes]:
    """Answer 413."""
    error = PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
    content = orjson.dumps(body(error))
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(content))), ("Connection", "close")]
    start_response(f"{error.status} Content Too Large", headers)
    return [content]
