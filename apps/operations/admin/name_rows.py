"""Names that rows of several models have, read by one query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, Model, QuerySet, Value
from django.db.models.expressions import Combinable

COLUMNS = ("of_sort", "of_key", "of_name", "of_detail")


def name_alone(name: str, details: list[str]) -> str:
    """Return a name without its details."""
    return name


@dataclass(frozen=True, kw_only=True)
class NamedRows:
    """Where the names of a sort of targets are: a text of a model's rows, and a detail of which a row has any number.

    `in_words` makes a name of the text and the details.
    """

    model: type[Model]
    name: Combinable
    detail: Combinable = Value("", output_field=CharField())
    in_words: Callable[[str, list[str]], str] = name_alone

    def query(self, sort: str, keys: Collection[str]) -> QuerySet[Any, tuple[str, str, str, str | None]]:
        """Select `sort`, key, text and detail of the rows with these keys."""
        values = (Value(sort, output_field=CharField()), F("pk"), self.name, self.detail)
        rows = self.model._default_manager.filter(pk__in=list(keys)).order_by()
        return rows.annotate(**dict(zip(COLUMNS, values, strict=True))).values_list(*COLUMNS)


def read_names(wanted: Mapping[str, tuple[NamedRows, Collection[str]]]) -> dict[str, dict[str, str]]:
    """Return the names of rows by sort and key: those of the keys that are wanted of each sort, by one query."""
    queries = [named.query(sort, keys) for sort, (named, keys) in wanted.items()]
    if not queries:
        return {}
    details: dict[tuple[str, str, str], list[str]] = {}
    for sort, key, name, detail in queries[0].union(*queries[1:], all=True):
        details.setdefault((sort, key, name), []).extend([detail] if detail else [])
    names: dict[str, dict[str, str]] = {sort: {} for sort in wanted}
    for (sort, key, name), of_row in details.items():
        names[sort][key] = wanted[sort][0].in_words(name, of_row)
    return names
