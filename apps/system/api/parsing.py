"""JSON in: strict, bounded, an object or nothing."""

from __future__ import annotations

from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.system.errors import PayloadTooLarge


class JSONParser(BaseParser):
    """Read a JSON body of at most `MAX_BODY_BYTES`; NaN, broken UTF-8 and lone surrogates are refused."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: dict | None = None) -> Any:
        """Return the decoded body; an empty one is an empty object. Raises ParseError, PayloadTooLarge."""
        raw = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(raw) > settings.MAX_BODY_BYTES:
            raise PayloadTooLarge(limit=settings.MAX_BODY_BYTES)
        if not raw.strip():
            return {}
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from error
