"""Filters of lists that need a form: a range of days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date


class DateRange(admin.FieldListFilter):
    """Pick rows by a range of days, both ends included, in UTC; a day that is none is not looked at."""

    template = "admin/filters/date_range.html"

    def __init__(
        self, field: Any, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.names = (f"{field_path}_from", f"{field_path}_to")
        self.given = {name: params.pop(name) for name in self.names if name in params}
        super().__init__(field, request, params, model, model_admin, field_path)
        for name, value in self.given.items():
            self.used_parameters[name] = value[-1] if isinstance(value, list) else value

    def expected_parameters(self) -> list[str | None]:
        """Return both ends."""
        return list(self.names)

    def has_output(self) -> bool:
        """Show it always."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        first, last = (day_of(self.used_parameters.get(name)) for name in self.names)
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return what the form shows."""
        yield {
            "first_name": self.names[0],
            "last_name": self.names[1],
            "first": self.used_parameters.get(self.names[0], ""),
            "last": self.used_parameters.get(self.names[1], ""),
        }


def day_of(given: Any) -> datetime | None:
    """Return the beginning of a day given as `2026-01-31`, None for anything else."""
    try:
        day = parse_date(given) if isinstance(given, str) else None
    except ValueError:
        return None
    return datetime.combine(day, time.min, UTC) if day else None
