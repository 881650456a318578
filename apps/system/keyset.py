"""Keyset paging: a cursor is the place in an ordered list after which a page begins, as a text for the next request.

However far back the page is, the database goes straight to it by the index of the order; and rows that are inserted or
deleted meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value

from apps.system.errors import Invalid


class RowComparison(Func):
    """`(a, b) > (x, y)`: true of the rows that come after a cursor."""

    output_field = BooleanField()

    def __init__(self, *expressions: Any, operator: str = ">"):
        super().__init__(*expressions)
        self.operator = operator

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile; the first half of the expressions are columns, the second half values."""
        pairs = [compiler.compile(expression) for expression in self.source_expressions]
        half = len(pairs) // 2
        columns, values = (", ".join(sql for sql, _ in part) for part in (pairs[:half], pairs[half:]))
        return f"({columns}) {self.operator} ({values})", tuple(param for _, params in pairs for param in params)

    as_postgresql = as_sqlite


def order_of(queryset: QuerySet) -> list[str]:
    """Return the fields that a queryset is ordered by, ending with its key, so that no two rows share a cursor."""
    model = queryset.model
    names = [str(name) for name in queryset.query.order_by or model._meta.ordering]
    names = [name.replace("pk", model._meta.pk.name) if name in ("pk", "-pk") else name for name in names]
    if model._meta.pk.name in [name.removeprefix("-") for name in names]:
        return names
    return [*names, ("-" if names[-1:] and names[-1].startswith("-") else "") + model._meta.pk.name]


def has_one_direction(names: Sequence[str]) -> bool:
    """Tell whether all fields are ordered alike."""
    return len({name.startswith("-") for name in names}) == 1


def cursor_of(row: tuple[Any, ...]) -> str:
    """Return the cursor of a row, from the values of the fields of its order."""
    return base64.urlsafe_b64encode(orjson.dumps(row, default=str)).decode().rstrip("=")


def after(queryset: QuerySet, cursor: str) -> QuerySet:
    """Select the rows after a cursor. Raises Invalid."""
    return beyond(queryset, order_of(queryset), values_at_cursor(queryset, cursor))


def values_at_cursor(queryset: QuerySet, cursor: str) -> list[Any]:
    """Return what the row at a cursor has in the fields of its order. Raises Invalid."""
    return values_of(queryset.model, [name.removeprefix("-") for name in order_of(queryset)], cursor)


def beyond(queryset: QuerySet, names: Sequence[str], values: Sequence[Any]) -> QuerySet:
    """Select the rows after the one that has these values in the fields of an order."""
    if not has_one_direction(names):
        return queryset.order_by(*names).filter(between_directions(names, values))
    plain = [name.removeprefix("-") for name in names]
    operator, bound = ("<", "lte") if names[0].startswith("-") else (">", "gte")
    fields = [field_of(queryset.model, name) for name in plain]
    row = [Value(value, output_field=field) for value, field in zip(values, fields, strict=True)]
    rows = queryset.order_by(*names).filter(RowComparison(*map(F, plain), *row, operator=operator))
    # No index serves a comparison of columns of two tables, but one of the first of them.
    return rows.filter(**{f"{plain[0]}__{bound}": values[0]}) if "__" in plain[0] else rows


def between_directions(names: Sequence[str], values: Sequence[Any]) -> Q:
    """Return the condition of being after a row in an order whose fields go up and down; the first is for an index."""
    condition = Q()
    for name, value in zip(reversed(names), reversed(values), strict=True):
        field, further = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        same = Q(**{field: value}) & condition if condition else Q()
        condition = Q(**{f"{field}__{further}": value}) | same
        bound = Q(**{f"{field}__{further}e": value})
    return bound & condition


def field_of(model: type[Model], path: str) -> Field:
    """Return the field at the end of a path such as `operation__created_at`; a relation stands for its key."""
    field: Any = None
    for name in path.split("__"):
        field = (field.related_model if field else model)._meta.get_field(name)
    return field.target_field if field.is_relation else field


def values_at(row: Model, names: list[str]) -> tuple[Any, ...]:
    """Return what a row has in the fields of an order, related rows as their keys."""
    found = []
    for name in names:
        value: Any = row
        for part in name.removeprefix("-").split("__"):
            value = getattr(value, part)
        found.append(value.pk if isinstance(value, Model) else value)
    return tuple(found)


def is_storable(value: Any) -> bool:
    """Tell whether the database could hold a value at all."""
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return "\0" not in value if isinstance(value, str) else not isinstance(value, int) or abs(value) < 2**63


def values_of(model: type[Model], names: list[str], cursor: str) -> list[Any]:
    """Return the values in a cursor. Raises Invalid."""
    fields = [field_of(model, name) for name in names]
    try:
        given = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        texts = [(field, text) for field, text in zip(fields, given, strict=True) if isinstance(text, str | int)]
        if len(texts) < len(fields):
            raise ValueError(cursor)
        values = [(field, field.to_python(text)) for field, text in texts]
        if not all(is_storable(value) for _, value in values):
            raise ValueError(cursor)
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError) as error:
        raise Invalid("after takes what the Link header of the page before gave.", field="after") from error
    return [value for _, value in values]
