"""Lists: filters, order, pages and the complete list, the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend, FilterSet

from apps.system.api.rendering import json_response
from apps.system.api.rows import stream, texts
from apps.system.errors import Invalid

PER_PAGE, MOST_PER_PAGE = 20, 1000
PAGING = ("page", "per_page", "ordering")


class Moment(IsoDateTimeField):
    """A time in UTC; one that has no place in UTC's calendar is refused."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the time. Raises ValidationError."""
        moment = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Compare with a time."""

    field_class = Moment


class ListFilters(FilterSet):
    """What every list understands; times are ISO 8601, and one without an offset is UTC."""

    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")


class StrictFilters(DjangoFilterBackend):
    """The framework's filter backend; an impossible value is a 400 through its own validation."""


def filtered(view: Any, request: Any, queryset: QuerySet) -> QuerySet:
    """Return the rows the query asks for, in the order it asks for. Raises ValidationError, Invalid."""
    for backend in view.filter_backends:
        queryset = backend().filter_queryset(request, queryset, view)
    ordering = request.query_params.get("ordering")
    return queryset.order_by(*order(ordering, view.orderings)) if ordering is not None else queryset


def order(given: str, known: tuple[str, ...]) -> list[str]:
    """Return the fields to order by, the key last so that pages never overlap. Raises Invalid."""
    names = given.split(",")
    for name in names:
        if name.removeprefix("-") not in known:
            raise Invalid(
                "Order by {known}, with - in front for the reverse.", known=" or ".join(known), field="ordering"
            )
    return [*names, "pk"]


def number(request: Any, name: str, default: int, most: int, least: int = 1) -> int:
    """Return a whole number of the query, from `least` to `most`. Raises Invalid."""
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) < 11 and least <= int(given) <= most):
        raise Invalid(
            "{name} takes a whole number from {least} to {most}.", name=name, least=least, most=most, field=name
        )
    return int(given)


def answer_list(view: Any, request: Any, queryset: QuerySet) -> HttpResponse:
    """Answer one page when a page is asked for, else the complete list, streamed."""
    queryset = filtered(view, request, queryset)
    if "page" not in request.query_params and "per_page" not in request.query_params:
        return stream(queryset, view.serializer_class)
    per_page = number(request, "per_page", PER_PAGE, MOST_PER_PAGE)
    page = number(request, "page", 1, 10**8)
    total = queryset.order_by().count()
    rows = texts(queryset, view.serializer_class)[(page - 1) * per_page : page * per_page]
    headers = {"X-Total-Count": str(total), "Link": links(request, page, per_page, total)}
    return json_response("[" + ",".join(rows) + "]", headers=headers)


def links(request: Any, page: int, per_page: int, total: int) -> str:
    """Return the Link header (RFC 8288) of a page."""
    last = max(1, -(-total // per_page))
    places = {"first": 1, "prev": min(page - 1, last), "next": page + 1 if page < last else 0, "last": last}
    base = request.build_absolute_uri(request.path)
    query = {**request.query_params.dict(), "per_page": per_page}
    return ", ".join(
        f'<{base}?{urlencode({**query, "page": place})}>; rel="{rel}"' for rel, place in places.items() if place
    )
