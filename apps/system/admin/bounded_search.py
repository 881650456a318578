"""Searches of lists, bounded: each word is a condition on each column, and databases take so many only."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

MAX_WORDS = 20


class BoundedSearch(ModelAdmin):
    """A list that is searched by the first words of what was typed."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find rows by the first words."""
        return super().get_search_results(request, queryset, " ".join(search_term.split()[:MAX_WORDS]))
