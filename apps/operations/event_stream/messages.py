"""The messages of a stream, as the HTML standard defines server-sent events."""

from __future__ import annotations

from typing import Any

import orjson

MEDIA_TYPE = "text/event-stream"
# Each message, as OpenAPI describes the fields that it is made of.
SCHEMA = {
    "type": "object",
    "description": "A message of the stream.",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "description": "A JSON object."},
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
    },
    "required": ["event", "data"],
}
RETRY = b"retry: 1000\n\n"
KEEPALIVE = b": keepalive\n\n"


def message(name: str, data: str | dict[str, Any], id: int | None = None) -> bytes:
    """Return one message; `data` is JSON text or an object."""
    number = b"" if id is None else b"id: %d\n" % id
    text = data.encode() if isinstance(data, str) else orjson.dumps(data)
    return b"%sevent: %s\ndata: %s\n\n" % (number, name.encode(), text)


def with_context(text: str, **context: str) -> str:
    """Put keys in front of those of an object that is JSON text already."""
    return orjson.dumps(context).decode()[:-1] + "," + text[1:]
