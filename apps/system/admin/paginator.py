"""Pages of long lists."""

from __future__ import annotations

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from apps.system.list_queries import along_order, count_up_to, of_keys

MAX_COUNTED = 10_000
# Pages of more rows than this are found by their keys first.
DEEP = 1000


class BoundedPaginator(Paginator):
    """Pages over rows that are counted up to a bound only, so that a list costs the same at any size."""

    object_list: QuerySet
    template_name = "admin/bounded_pagination.html"

    @cached_property
    def count(self) -> int:
        """Count the rows, at most `MAX_COUNTED`."""
        return count_up_to(self.object_list, MAX_COUNTED)

    @property
    def is_bounded(self) -> bool:
        """Tell whether there are probably more rows than were counted."""
        return self.count == MAX_COUNTED

    def page(self, number: int | str) -> Page:
        """Return a page. Raises InvalidPage."""
        number = self.validate_number(number)
        if self.count <= DEEP:
            return super().page(number)
        begin = (number - 1) * self.per_page
        found = along_order(self.object_list) if self.is_bounded else self.object_list
        keys = list(found.values_list("pk", flat=True)[begin : min(begin + self.per_page, self.count)])
        return Page(of_keys(self.object_list, keys), number, self)
