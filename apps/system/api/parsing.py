"""JSON in: strict, bounded, an object or nothing."""

from __future__ import annotations

import gc
import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.system.errors import Invalid, PayloadTooLarge

DEEPEST = 32
MAX_VALUES = 25_000  # in a body: the longest text that is taken, 16 KiB of user data, may be all commas
COLLECT_BYTES = 8 * 1024 * 1024


class JSONParser(BaseParser):
    """Read a JSON body of at most `MAX_BODY_BYTES`; NaN, broken UTF-8 and repeated keys are refused."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body; an empty one is an empty object. Raises ParseError, PayloadTooLarge."""
        raw = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(raw) > settings.MAX_BODY_BYTES:
            raise PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
        if not raw.strip():
            return {}
        collector.note(len(raw))
        refuse_many(raw)
        value = decoded(raw)
        refuse_deep(value)
        json.loads(raw, object_pairs_hook=refuse_repeated, parse_int=str)  # orjson keeps the last and says nothing
        return value


class Collector:
    """Run the garbage collector for every so many bytes of bodies.

    Request, view and serializer refer to each other, so a body stays in memory until the collector's next full run.
    That goes by the number of objects, of which a large text is one.
    """

    def __init__(self) -> None:
        self.seen = 0

    def note(self, size: int) -> None:
        """Count a body; what earlier ones left behind goes first."""
        self.seen += size
        if self.seen > COLLECT_BYTES:
            self.seen = 0
            gc.collect()


collector = Collector()
one_at_a_time = threading.Lock()


def decoded(raw: bytes) -> Any:
    """Return the value of JSON text. Raises ParseError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from error


def refuse_many(raw: bytes) -> None:
    """Refuse more values than any request can need, before memory is taken for them. Raises Invalid, ParseError."""
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) <= MAX_VALUES:
        return
    with one_at_a_time:
        field = largest_field(decoded(raw))
    text = f"The body has more than {MAX_VALUES} values, most of them here."
    raise Invalid(f"The request is not valid: {field}: {text}", details={field: [text]})


def largest_field(body: Any) -> str:
    """Return the name of the field with most values at its first level."""
    fields = (
        {name: len(value) for name, value in body.items() if isinstance(value, list | dict)}
        if isinstance(body, dict)
        else {}
    )
    return max(fields, key=lambda name: fields[name], default="body")


def refuse_deep(value: Any) -> None:
    """Refuse more levels than what handles the body later could follow. Raises ParseError."""
    level = [value]
    for _ in range(DEEPEST):
        level = [child for item in level for child in children(item)]
        if not level:
            return
    raise ParseError(f"The body is nested more than {DEEPEST} levels deep.")


def children(value: Any) -> Iterable[Any]:
    """Return what a JSON value holds."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a repeated key. Raises ParseError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ParseError(f"The body has the key {twice[:100]!r} more than once.")
    return found
