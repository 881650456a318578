"""Lists of the console that go on beyond the rows that are counted, from a cursor."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.system import keyset
from apps.system.errors import Invalid
from apps.system.list_queries import led_by_rarest

AFTER_VAR = "after"


@cache
def with_cursors(base: type[ChangeList]) -> type[ChangeList]:
    """Return a list of the admin that takes the cursor after which it begins, as `?after=`."""

    class PlacedList(base):  # type: ignore[misc, valid-type]
        """Its last page leads to the rows that were not counted."""

        cursor = ""

        def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet:
            """Select the rows after the cursor. Raises IncorrectLookupParameters."""
            for params in (self.params, self.filter_params):
                params.pop(AFTER_VAR, None)
            self.cursor = request.GET.get(AFTER_VAR, "")
            rows = super().get_queryset(request, *args, **kwargs)
            try:
                return led_by_rarest(keyset.after(rows, self.cursor) if self.cursor else rows)
            except Invalid as error:
                raise IncorrectLookupParameters from error

        def get_query_string(self, new_params: dict[str, Any] | None = None, remove: list[str] | None = None) -> str:
            """Return the query of a link: other pages keep the cursor, other filters and orders begin anew."""
            if self.cursor and new_params and set(new_params) == {PAGE_VAR}:
                new_params = {**new_params, AFTER_VAR: self.cursor}
            return super().get_query_string(new_params, remove)

        @property
        def further(self) -> str:
            """The query of the rows that were not counted, on the last page of those that were."""
            names = keyset.order_of(self.queryset)
            is_last = self.page_num == self.paginator.num_pages
            if not (self.paginator.is_bounded and is_last and self.result_list):
                return ""
            last = list(self.result_list)[-1]
            return super().get_query_string({AFTER_VAR: keyset.cursor_of(keyset.values_at(last, names))})

        @property
        def beginning(self) -> str:
            """The query of the first rows, on pages that begin after a cursor."""
            return super().get_query_string() if self.cursor else ""

    return PlacedList
