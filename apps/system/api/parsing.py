"""JSON in: strict, bounded, an object or nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.system.errors import PayloadTooLarge

DEEPEST = 32


class JSONParser(BaseParser):
    """Read a JSON body of at most `MAX_BODY_BYTES`; NaN, broken UTF-8 and repeated keys are refused."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: dict | None = None) -> Any:
        """Return the decoded body; an empty one is an empty object. Raises ParseError, PayloadTooLarge."""
        raw = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(raw) > settings.MAX_BODY_BYTES:
            raise PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
        if not raw.strip():
            return {}
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from error
        refuse_deep(value)
        json.loads(raw, object_pairs_hook=refuse_repeated, parse_int=str)  # orjson keeps the last and says nothing
        return value


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
    """Refuse an object that says a thing twice, for nobody knows which of them counts. Raises ParseError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ParseError(f"The body has the key {twice[:100]!r} more than once.")
    return found
