"""Rows rendered to JSON text by the database itself, in the shape that a serializer declares.

The serializer is the one home of the shape: the OpenAPI schema is made from it, and so is the SQL. On 10,000 rows this
is several times faster than building each row in Python, and needs memory for one chunk only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from django.db import models
from django.db.models import F, Func, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import serializers

from apps.system.api.rendering import MEDIA_TYPE, json_response
from apps.system.errors import NotFound

CHUNK = 1000


class JSONRow(Func):
    """`json_object('a', x, …)` as text, keys in the order given."""

    output_field = models.TextField()

    def __init__(self, keys: tuple[str, ...], *values: Any):
        self.keys = keys
        super().__init__(*values)

    def _render(self, compiler: Any, connection: Any, head: str, tail: str) -> tuple[str, list[Any]]:
        parts, params = [], []
        for key, value in zip(self.keys, self.source_expressions, strict=True):
            sql, args = compiler.compile(value)
            parts.append(f"'{key}', {sql}")
            params.extend(args)
        return f"{head}({', '.join(parts)}){tail}", params

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        """Compile for SQLite."""
        return self._render(compiler, connection, "json_object", "")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        """Compile for PostgreSQL."""
        return self._render(compiler, connection, "json_build_object", "::text")


class Form(Func):
    """One value in the form that JSON gives it, by database."""

    output_field = models.TextField()
    sqlite = postgresql = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        """Compile for SQLite."""
        return self.as_sql(compiler, connection, template=self.sqlite)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        """Compile for PostgreSQL."""
        return self.as_sql(compiler, connection, template=self.postgresql)


class Time(Form):
    """UTC, whole seconds: `2025-10-06T12:00:00Z`."""

    sqlite = "strftime('%%%%Y-%%%%m-%%%%dT%%%%H:%%%%M:%%%%SZ', %(expressions)s)"
    postgresql = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


class Bool(Form):
    """True or false; SQLite has only numbers."""

    sqlite = "json(CASE WHEN %(expressions)s THEN 'true' ELSE 'false' END)"


class JSON(Form):
    """A column that holds JSON text."""

    sqlite = "json(%(expressions)s)"
    postgresql = "(%(expressions)s)::json"


class UUIDText(Form):
    """A UUID with its dashes; SQLite keeps 32 hex digits."""

    sqlite = (
        "substr({0},1,8)||'-'||substr({0},9,4)||'-'||substr({0},13,4)||'-'||substr({0},17,4)||'-'||substr({0},21)"
    ).format("%(expressions)s")
    postgresql = "(%(expressions)s)::text"


FORMS: dict[type[serializers.Field], type[Form]] = {
    serializers.DateTimeField: Time,
    serializers.BooleanField: Bool,
    serializers.UUIDField: UUIDText,
    serializers.DictField: JSON,
    serializers.ListField: JSON,
}


@cache
def json_row(shape: type[serializers.Serializer]) -> JSONRow:
    """Return the SQL expression that renders a row in the serializer's shape."""
    fields = shape().fields
    return JSONRow(tuple(fields), *(value_of(field) for field in fields.values()))


def value_of(field: serializers.Field) -> Any:
    """Return the SQL for one field: its source column or annotation, in the form its type asks for."""
    column = F(field.source.replace(".", "__"))
    form = next((form for kind, form in FORMS.items() if isinstance(field, kind)), None)
    return form(column) if form else column


def texts(queryset: QuerySet, shape: type[serializers.Serializer]) -> QuerySet:
    """Return a queryset of JSON texts, one a row."""
    return queryset.values_list(json_row(shape), flat=True)


def one(queryset: QuerySet, shape: type[serializers.Serializer], *, what: str, id: Any) -> HttpResponse:
    """Answer the single row of the queryset. Raises NotFound."""
    row = next(iter(texts(queryset.order_by(), shape)[:1]), None)
    if row is None:
        raise NotFound(what=what, id=id)
    return json_response(row)


def stream(queryset: QuerySet, shape: type[serializers.Serializer]) -> HttpResponse | StreamingHttpResponse:
    """Answer all rows as one JSON array: what fits a chunk at once, more of them streamed in constant memory."""
    rows = texts(queryset, shape).iterator(chunk_size=CHUNK)
    first = list(islice(rows, CHUNK))
    if len(first) < CHUNK:
        return json_response("[" + ",".join(first) + "]")
    return StreamingHttpResponse(array(first, rows), content_type=MEDIA_TYPE)


def array(first: list[str], rest: Iterator[str]) -> Iterator[bytes]:
    """Yield a JSON array in chunks."""
    yield ("[" + ",".join(first)).encode()
    while chunk := list(islice(rest, CHUNK)):
        yield ("," + ",".join(chunk)).encode()
    yield b"]"
