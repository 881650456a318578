"""Filters of the list of operations."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.operations import registry
from apps.system.admin.filters import DateRange

CREATED = ("created_at", DateRange)


class KindFilter(admin.SimpleListFilter):
    """Pick operations by kind, without asking the table which there are."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Offer the kinds that are registered."""
        return sorted(((name, kind.title) for name, kind in registry.kinds().items()), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ProgressFilter(admin.SimpleListFilter):
    """Pick operations by whether anything is left to do."""

    title, parameter_name = "progress", "progress"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Offer both."""
        return [("unfinished", "not finished"), ("finished", "finished")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        known = {"unfinished": {"due_at__isnull": False}, "finished": {"due_at__isnull": True}}
        return queryset.filter(**known.get(self.value() or "", {}))
