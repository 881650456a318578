"""JSON out: always JSON, whatever was asked for, rendered by orjson."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer

MEDIA_TYPE = "application/json"


class JSONRenderer(BaseRenderer):
    """Render a view's data; None becomes an empty body."""

    media_type = MEDIA_TYPE
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return UTF-8 JSON."""
        return b"" if data is None else orjson.dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Ignore the Accept header: a client that asks for HTML gets its error in JSON, too."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:
        """Return the JSON parser, or None (a 415) when the body says it is something else."""
        content_type = (request.content_type or MEDIA_TYPE).partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(
        self, request: Any, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        first = next(iter(renderers))
        return first, first.media_type


def json_response(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return data (or JSON text the database has already rendered) as a response."""
    content = data.encode() if isinstance(data, str) else orjson.dumps(data)
    return HttpResponse(content, status=status, content_type=MEDIA_TYPE, headers=headers)
