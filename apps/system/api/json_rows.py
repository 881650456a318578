"""SELECT returns each row as JSON text, in the shape that a serializer declares.

SQLite: `json_object`. PostgreSQL: string concatenation; rows whose text needs escaping fall back to `to_json()`.
The serializer is the one home of the shape: the OpenAPI schema is made from it, and so is the SQL. On 10,000 rows this
is several times faster than building each row in Python, and needs memory for one chunk only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from itertools import chain
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F, Func, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import serializers

from apps.system.api.rendering import MEDIA_TYPE, json_response
from apps.system.errors import NotFound

CHUNK = 1000
SQL = tuple[str, tuple[Any, ...]]  # a fragment and its parameters


class JSONRow(Func):
    """`{"a": x, …}` as text, keys in the order given.

    SQLite is fastest with its own function, PostgreSQL with a concatenation of values that are JSON text already.
    """

    output_field = models.TextField()

    def __init__(self, keys: tuple[str, ...], *values: Any):
        self.keys = keys
        super().__init__(*values)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> SQL:
        """Compile for SQLite."""
        values, params = self.compiled(compiler)
        pairs = [f"'{key}', {value}" for key, value in zip(self.keys, values, strict=True)]
        return f"json_object({', '.join(pairs)})", params

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> SQL:
        """Compile for PostgreSQL: one test of all texts of a row finds whether any needs escaping; few do."""
        fast, safe = self.joined(compiler, escape=False), self.joined(compiler, escape=True)
        texts = [compiler.compile(column.or_empty()) for column in self.columns if type(column) is JSONColumn]
        if not texts:
            return fast
        look = " || ".join(sql for sql, _ in texts)
        params = tuple(param for _, params in (*texts, safe, fast) for param in params)
        return f"CASE WHEN {look} ~ '[\"\\\\[:cntrl:]]' THEN {safe[0]} ELSE {fast[0]} END", params

    @property
    def columns(self) -> list[JSONColumn]:
        """The values of the row, resolved."""
        return [value for value in self.source_expressions if isinstance(value, JSONColumn)]

    def joined(self, compiler: Any, *, escape: bool) -> SQL:
        """Compile to a concatenation of JSON texts."""
        values, params = self.compiled(compiler, escape)
        marks = "{" + "," * (len(values) - 1)
        parts = [f"'{mark}\"{key}\":' || {value}" for mark, key, value in zip(marks, self.keys, values, strict=True)]
        return f"({' || '.join(parts)} || '}}')", params

    def compiled(self, compiler: Any, escape: bool = True) -> tuple[list[str], tuple[Any, ...]]:
        """Compile the values."""
        columns = self.columns if escape else [column.unescaped() for column in self.columns]
        pairs = [compiler.compile(column) for column in columns]
        return [sql for sql, _ in pairs], tuple(param for _, params in pairs for param in params)


class JSONColumn(Func):
    """A column as `json_object` takes it on SQLite, and as JSON text on PostgreSQL; this one is for any text."""

    output_field = models.TextField()
    sqlite = "%(expressions)s"
    postgresql = "to_json(%(expressions)s)::text"

    def __init__(self, column: Any, *, nullable: bool):
        self.nullable = nullable
        super().__init__(column)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> SQL:
        """Compile for SQLite."""
        return self.as_sql(compiler, connection, template=self.sqlite)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> SQL:
        """Compile for PostgreSQL."""
        template = f"coalesce({self.postgresql}, 'null')" if self.nullable else f"({self.postgresql})"
        return self.as_sql(compiler, connection, template=template)

    def unescaped(self) -> JSONColumn:
        """Return the same for a column whose text is known to need no escaping."""
        return PlainText(*self.source_expressions, nullable=self.nullable) if type(self) is JSONColumn else self

    def or_empty(self) -> Any:
        """Return the bare column, for the look at the row."""
        return Coalesce(*self.source_expressions, Value("")) if self.nullable else self.source_expressions[0]


class PlainText(JSONColumn):
    """A word of our own choosing, such as a status or a slug: nothing to escape."""

    postgresql = """'"' || %(expressions)s || '"'"""


class Address(JSONColumn):
    """An IP address."""

    postgresql = """'"' || host(%(expressions)s) || '"'"""


class Time(JSONColumn):
    """UTC, whole seconds: `2025-10-06T12:00:00Z`; SQLite keeps times as `2025-10-06 12:00:00.000000` in UTC."""

    sqlite = "substr(%(expressions)s, 1, 10) || 'T' || substr(%(expressions)s, 12, 8) || 'Z'"
    postgresql = """to_char(%(expressions)s AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS"Z\\""')"""


class Bool(JSONColumn):
    """True or false; SQLite has only numbers."""

    sqlite = "json(CASE %(expressions)s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
    postgresql = "%(expressions)s::text"


class Number(JSONColumn):
    """A number."""

    postgresql = "%(expressions)s::text"


class JSON(JSONColumn):
    """A column that holds JSON text."""

    sqlite = "json(%(expressions)s)"
    postgresql = "%(expressions)s"


class UUIDText(JSONColumn):
    """A UUID with its dashes; SQLite keeps 32 hex digits."""

    sqlite = (
        "substr({0},1,8)||'-'||substr({0},9,4)||'-'||substr({0},13,4)||'-'||substr({0},17,4)||'-'||substr({0},21)"
    ).format("%(expressions)s")
    postgresql = """'"' || %(expressions)s || '"'"""


COLUMNS: dict[type[serializers.Field], type[JSONColumn]] = {
    serializers.DateTimeField: Time,
    serializers.BooleanField: Bool,
    serializers.UUIDField: UUIDText,
    serializers.IPAddressField: Address,
    serializers.ChoiceField: PlainText,
    serializers.SlugField: PlainText,
    serializers.IntegerField: Number,
    serializers.DictField: JSON,
    serializers.ListField: JSON,
}


@cache
def json_row(shape: type[serializers.Serializer]) -> JSONRow:
    """Return the SQL expression that renders a row in the serializer's shape."""
    fields = shape().fields
    return JSONRow(tuple(fields), *(value_of(field) for field in fields.values()))


def value_of(field: serializers.Field) -> JSONColumn:
    """Return the SQL for one field: its source column or annotation, in the form its type asks for."""
    form = next((form for kind, form in COLUMNS.items() if isinstance(field, kind)), JSONColumn)
    source = field.source or ""  # set by the serializer that the field is in
    return form(F(source.replace(".", "__")), nullable=field.allow_null)


def texts(queryset: QuerySet, shape: type[serializers.Serializer]) -> QuerySet:
    """Return a queryset of JSON texts, one a row."""
    return queryset.values_list(json_row(shape), flat=True)


def one(queryset: QuerySet, shape: type[serializers.Serializer], *, what: str, id: Any) -> HttpResponse:
    """Answer the single row of the queryset. Raises NotFound."""
    row = next(iter(texts(queryset.order_by(), shape)[:1]), None)
    if row is None:
        raise NotFound(what=what, id=id)
    return json_response(row)


def stream(
    queryset: QuerySet, shape: type[serializers.Serializer], *, last: str = ""
) -> HttpResponse | StreamingHttpResponse:
    """Answer all rows as one JSON array: what fits a chunk at once, more of them streamed in constant memory.

    `last` is the JSON text of one more item, which no row stands for.
    """
    chunks = chunked(texts(queryset, shape).query.sql_with_params())
    end = [last.encode()] if last else []
    first, second = next(chunks, b""), next(chunks, None)
    if second is None:
        return HttpResponse(b"[" + b",".join(filter(None, [first, *end])) + b"]", content_type=MEDIA_TYPE)
    return StreamingHttpResponse(array(first, second, chain(chunks, end)), content_type=MEDIA_TYPE)


def array(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a JSON array in chunks."""
    yield b"[" + first
    for chunk in chain([second], rest):
        yield b"," + chunk
    yield b"]"


def chunked(statement: tuple[str, tuple[Any, ...]]) -> Iterator[bytes]:
    """Yield the rows joined by commas, a chunk at a time; in a transaction, PostgreSQL's cursor stores no result."""
    whole = transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
    with whole, connection.chunked_cursor() as cursor:
        cursor.execute(*statement)
        while rows := cursor.fetchmany(CHUNK):
            yield ",".join([text for (text,) in rows]).encode()
