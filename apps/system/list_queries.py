"""Queries of lists with many rows, shaped so that both databases go straight to the rows of a page.

SQLite keeps no statistics without ANALYZE: it takes any filter for one that few rows pass, and goes by its index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Func, QuerySet
from django.db.models.expressions import Col
from django.db.models.lookups import Exact
from django.db.models.sql.where import WhereNode

from apps.system import keyset

# A filter that fewer rows pass than one of these finds them; those of commoner ones are found along the order of the
# list. Counting costs time, so that more are only counted where all filters have that many.
LEADING = (10_000, 50_000)
# Parts of a list with no more rows are sorted rather than divided further.
MAX_SORTED = 1000
# Rows further back than this are looked for by time.
FAR, TIMES = 100, ("created_at", "updated_at")
# In the order of an index, the first page of a filter that more rows pass is found along it, and pages far back are of
# a filter that more rows pass than the second number: with fewer, sorting them is faster than passing over others.
MAX_SORTED_NEAR, MAX_SORTED_FAR = 2000, 20_000


class Unindexed(Func):
    """A condition that SQLite checks on rows found by something else; PostgreSQL knows better itself."""

    template = "+(%(expressions)s)"
    arity = 1
    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Compile to the condition alone."""
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


def count_up_to(queryset: QuerySet, maximum: int) -> int:
    """Count rows, at most so many; what is annotated is not computed, and no column is read but of the filters."""
    rows = queryset.order_by().query.exists(limit=False)
    rows.set_limits(high=maximum)
    try:
        sql, params = rows.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({sql}) AS counted", params)  # noqa: S608 - Django wrote it
        return int(cursor.fetchone()[0])


# How many rows pass a filter, as far as they were counted for a page.
Counts = dict[tuple[Any, ...], int]


def led_by_rarest(queryset: QuerySet, counts: Counts | None = None) -> QuerySet:
    """Select the same rows: on SQLite by the index of that filter of several which the fewest rows pass.

    PostgreSQL knows how common a value is; SQLite knows at most how common the values of a column are on average.
    """
    where, filters = queryset.query.where, leading_filters_of(queryset)
    if connection.vendor != "sqlite" or len(filters) < 2:
        return queryset
    found = queryset.all()
    if rarest := rarest_of(filters, {} if counts is None else counts):
        others = [each for each in filters if each is not rarest]
    else:  # many rows pass each of them: most of all, as a rule, one that has only few values
        others = [each for each in filters if each.lhs.target.choices]
    if not others or len(others) == len(filters):
        return queryset
    conditions: list[Any] = [Unindexed(each) if each in others else each for each in where.children]
    found.query.where = WhereNode(conditions, where.connector, where.negated)
    return found


def rarest_of(filters: Sequence[Exact], counts: Counts) -> Exact | None:
    """Return the filter that the fewest rows pass, None where many pass each of them.

    Of filters of several tables, many are sooner too many: each row found is looked up in the other table.
    """
    is_joined = len({each.lhs.target.model for each in filters}) > 1
    for most in LEADING[:1] if is_joined else LEADING:
        passing = [count_once(each, most, counts) for each in filters]
        if min(passing) < most:
            return filters[passing.index(min(passing))]
    return None


def count_once(condition: Exact, most: int, counts: Counts) -> int:
    """Return how many rows pass a filter, at most so many, counted where that is not known yet."""
    key = condition.lhs.target, condition.rhs, most
    if key not in counts:
        counts[key] = count_up_to(rows_passing(condition), most)
    return counts[key]


def rows_passing(condition: Exact) -> QuerySet:
    """Select all rows of a table that pass one filter."""
    field = condition.lhs.target
    return field.model._base_manager.filter(**{field.attname: condition.rhs})


def along_order(queryset: QuerySet) -> QuerySet:
    """Select the same rows, for a page of many: found along the index of their order, not by their filters and sorted.

    In the order of creation, the indexes of the filters have them sorted.
    """
    return queryset if keyset.order_of(queryset)[0].endswith("created_at") else unindexed(queryset)


def unindexed(queryset: QuerySet) -> QuerySet:
    """Select the same rows; SQLite finds them by something else than the filters that there are so far."""
    found = queryset.all()
    conditions: list[Any] = [
        each if isinstance(each, WhereNode) else Unindexed(each) for each in found.query.where.children
    ]
    found.query.where = WhereNode(conditions, found.query.where.connector, found.query.where.negated)
    return found


def filters_of(queryset: QuerySet) -> list[Exact]:
    """Return the filters by one value of one column."""
    return [each for each in queryset.query.where.children if isinstance(each, Exact) and isinstance(each.lhs, Col)]


def leading_filters_of(queryset: QuerySet) -> list[Exact]:
    """Return the filters by which rows may be found: a flag has no index of its own."""
    return [each for each in filters_of(queryset) if not isinstance(each.lhs.target, BooleanField)]


def best_served(queryset: QuerySet, begin: int = 0, counts: Counts | None = None) -> QuerySet:
    """Select the same rows, ordered: few are found by their filters and sorted, many along the index of their order."""
    led, along = led_by_rarest(queryset, counts), along_order(queryset)
    if along is queryset or not queryset.query.where:
        return led
    most = MAX_SORTED_NEAR if begin <= FAR else MAX_SORTED_FAR
    return along if count_up_to(led, most + 1) > most else led


def of_keys(queryset: QuerySet, keys: Iterable[Any]) -> QuerySet:
    """Select the rows of these keys, which are the queryset's, by nothing but their keys."""
    found = queryset.all()
    found.query.where = WhereNode()
    return found.filter(pk__in=keys)


# ── orders by several fields ──────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Skip:
    """How many rows are still to be passed over, and what was counted for that."""

    rows: int
    counts: Counts


def page_keys(
    queryset: QuerySet, few_values: Collection[str], *, begin: int = 0, count: int, after: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Return what the rows of a page have in the fields of their order, and their keys: nothing else of rows is read.

    The page begins after so many rows, or after the row with these values in the fields of the order.
    """
    fields = [name.removeprefix("-") for name in keyset.order_of(queryset)]
    found: list[tuple[Any, ...]] = []
    skip = Skip(begin, {})
    for part in parts(queryset, keyset.order_of(queryset), few_values, skip, after):
        first, skip.rows = skip.rows, 0
        found += keys_of(part, fields, first, count - len(found))
        if len(found) == count:
            break
    return found


def parts(
    queryset: QuerySet, names: Sequence[str], few_values: Collection[str], skip: Skip, after: Sequence[Any] = ()
) -> Iterator[QuerySet]:
    """Yield a list in parts, one after the other: the fields of few values have one value in each.

    So an order by status and kind sorts few rows: what is left of the order in a large part is that of an index. Parts
    that are passed over as a whole are counted only.
    """
    field = names[0].removeprefix("-")
    if field not in few_values or is_small(queryset, skip.counts):
        rows = best_served(queryset.order_by(*names), skip.rows, skip.counts)
        yield keyset.beyond(rows, names, after) if after else rows
        return
    for value in values_of(queryset, names[0], *after[:1]):
        part = queryset.filter(**{field: value})
        if skip.rows and (counted := count_up_to(led_by_rarest(part, skip.counts), skip.rows + 1)) <= skip.rows:
            skip.rows -= counted
            continue
        yield from parts(part, names[1:], few_values, skip, after[1:] if [value] == list(after[:1]) else ())


def is_small(queryset: QuerySet, counts: Counts) -> bool:
    """Tell whether a part has so few rows that it is sorted rather than divided."""
    return count_up_to(led_by_rarest(queryset, counts), MAX_SORTED + 1) <= MAX_SORTED


def keys_of(queryset: QuerySet, fields: Sequence[str], begin: int, count: int) -> list[tuple[Any, ...]]:
    """Return what these rows have in the fields of their order, and their keys."""
    near, first = nearer(queryset, begin, count)
    found = list(near.values_list(*fields, "pk")[first : first + count])
    if len(found) < count and near is not queryset:  # the end of the list, or rows have changed in between
        return list(queryset.values_list(*fields, "pk")[begin : begin + count])
    return found


def nearer(queryset: QuerySet, begin: int, count: int) -> tuple[QuerySet, int]:
    """Select rows between the times of the first and the last of `count` rows that `begin` others precede.

    Returns how many of them precede these. Indexes by time have no keys, which the order ends with: passing over an
    index alone reads no rows.
    """
    name = keyset.order_of(queryset)[0]
    field, (first, last) = name.removeprefix("-"), ("lte", "gte") if name.startswith("-") else ("gte", "lte")
    if begin <= FAR or field not in TIMES:
        return queryset, begin
    times = list(queryset.order_by(name).values_list(field, flat=True)[begin - FAR : begin + count])
    if len(times) < FAR + count or times[0] == times[FAR]:
        return queryset, begin
    near = queryset.filter(**{f"{field}__{first}": times[FAR], f"{field}__{last}": times[-1]})
    return near, times[:FAR].count(times[FAR])


def values_of(queryset: QuerySet, name: str, *begin: Any) -> Iterator[Any]:
    """Yield the values of a field in the order that `name` says, from one of them on, each by a look into an index."""
    field, comparison = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
    given = [each.rhs for each in filters_of(queryset) if each.lhs.target.name == field]
    if given:
        yield from given[:1]
        return
    values = queryset.model._base_manager.order_by(name).values_list(field, flat=True)
    found = [*begin] or list(values[:1])
    while found:
        yield found[0]
        found = list(values.filter(**{f"{field}__{comparison}": found[0]})[:1])
