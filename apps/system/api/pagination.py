"""Lists: order, pages and the complete list, the same everywhere; `filters` has what lists are filtered by."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http.response import HttpResponseBase

from apps.system import keyset
from apps.system.api.json_rows import json_row, stream, texts
from apps.system.api.rendering import json_response
from apps.system.errors import Invalid
from apps.system.list_queries import count_up_to, led_by_rarest, of_keys, page_keys

PER_PAGE, MAX_PER_PAGE, MAX_PAGE = 20, 1000, 10**8
MAX_PASSED = 100_000  # rows in front of a page that is named by its number
PAGING = ("page", "per_page", "after", "ordering")
# Rows are counted so far, and pages of more rows than this are found by their keys first.
MAX_COUNTED, DEEP = 10_000, 1000
WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")


def filtered(view: Any, request: Any, queryset: QuerySet) -> QuerySet:
    """Return the rows the query asks for, in the order it asks for. Raises ValidationError, Invalid."""
    for backend in view.filter_backends:
        queryset = backend().filter_queryset(request, queryset, view)
    ordering = request.query_params.get("ordering")
    return queryset.order_by(*order(ordering, view.orderings)) if ordering is not None else queryset


def order(given: str, known: tuple[str, ...]) -> list[str]:
    """Return the fields to order by, time and key last so that pages never overlap. Raises Invalid."""
    names = given.split(",")
    for name in names:
        if name.removeprefix("-") not in known:
            raise Invalid(
                "Order by {known}, with - in front for the reverse.", known=" or ".join(known), field="ordering"
            )
    bare = [name.removeprefix("-") for name in names]
    ties = ["created_at"] if "created_at" in known and "created_at" not in bare else []
    sign = "-" if all(name.startswith("-") for name in names) else ""
    return [*names, *(sign + tie for tie in [*ties, "pk"])]


def number(request: Any, name: str, default: int, maximum: int, minimum: int = 1) -> int:
    """Return a whole number of the query, from `minimum` to `maximum`. Raises Invalid."""
    given = request.query_params.get(name, str(default))
    if not (WHOLE.fullmatch(given) and minimum <= int(given) <= maximum):
        raise Invalid(
            "{name} takes a whole number from {least} to {most}.", name=name, least=minimum, most=maximum, field=name
        )
    return int(given)


def answer_list(view: Any, request: Any, queryset: QuerySet) -> HttpResponseBase:
    """Answer one page when a page is asked for, else the complete list, streamed. Raises Invalid."""
    queryset = filtered(view, request, queryset)
    if not {"page", "per_page", "after"} & set(request.query_params):
        return stream(queryset, view.serializer_class)
    per_page = number(request, "per_page", PER_PAGE, MAX_PER_PAGE)
    cursor = request.query_params.get("after")
    queryset = led_by_rarest(queryset)
    if cursor is not None:
        return page_after(view, request, queryset, cursor, per_page)
    page = number(request, "page", 1, MAX_PAGE)
    total = count_up_to(queryset, MAX_COUNTED + 1)
    if total > DEEP or (page - 1) * per_page > DEEP:
        return deep_page(view, request, queryset, page, per_page, total)
    rows = texts(queryset, view.serializer_class)[(page - 1) * per_page : page * per_page]
    headers = {"X-Total-Count": str(total), "Link": links(request, page, per_page, total)}
    return json_response("[" + ",".join(rows) + "]", headers=headers)


def deep_page(view: Any, request: Any, queryset: QuerySet, page: int, per_page: int, total: int) -> HttpResponseBase:
    """Answer a page of many rows, or far back; in a list too long to count, its next page has a cursor."""
    begin, is_bounded = (page - 1) * per_page, total > MAX_COUNTED
    if is_bounded and begin > MAX_PASSED:
        raise Invalid(
            "Pages have numbers up to row {most}; rows after it are reached by the Link header's next.",
            most=MAX_PASSED,
            field="page",
        )
    keys = page_keys(queryset, few_values(view, queryset) if is_bounded else (), begin=begin, count=per_page + 1)
    rows = rows_of(view, queryset, [key[-1] for key in keys[:per_page]])
    if not is_bounded:
        headers = {"Link": links(request, page, per_page, total)}
    else:
        headers = {"Link": cursor_links(request, per_page, keys), "X-Total-Count-Bounded": "true"}
    return json_response(rows, headers={"X-Total-Count": str(min(total, MAX_COUNTED)), **headers})


def page_after(view: Any, request: Any, queryset: QuerySet, cursor: str, per_page: int) -> HttpResponseBase:
    """Answer the page that begins after a cursor. Raises Invalid."""
    if "page" in request.query_params:
        raise Invalid("Give either page or after.", field="after")
    values = keyset.values_at_cursor(queryset, cursor)
    keys = page_keys(queryset, few_values(view, queryset), count=per_page + 1, after=values)
    rows = rows_of(view, queryset, [key[-1] for key in keys[:per_page]])
    return json_response(rows, headers={"Link": cursor_links(request, per_page, keys)})


def few_values(view: Any, queryset: QuerySet) -> tuple[str, ...]:
    """Return the fields by whose values a long list is read in parts: none where an index has its whole order."""
    names = keyset.order_of(queryset)
    has_index = len(names) == 3 and keyset.has_one_direction(names)  # a field, the time of creation, the key
    return () if has_index else view.few_values


def rows_of(view: Any, queryset: QuerySet, keys: list[Any]) -> str:
    """Return the rows of these keys as a JSON array, in the order of the keys."""
    found = of_keys(queryset.order_by(), keys) if keys else queryset.none()
    rows = dict(found.values_list("pk", json_row(view.serializer_class)))
    return "[" + ",".join(rows[key] for key in keys if key in rows) + "]"


def cursor_links(request: Any, per_page: int, keys: Any) -> str:
    """Return the Link header of a page whose next one begins after the last row that it shows."""
    query = {name: value for name, value in request.query_params.dict().items() if name not in ("page", "after")}
    base = request.build_absolute_uri(request.path)
    links: dict[str, dict[str, Any]] = {"first": {"page": 1}}
    if len(keys) > per_page:
        links["next"] = {"after": keyset.cursor_of(keys[per_page - 1][:-1])}
    return ", ".join(
        f'<{base}?{urlencode({**query, "per_page": per_page, **where})}>; rel="{rel}"' for rel, where in links.items()
    )


def links(request: Any, page: int, per_page: int, total: int) -> str:
    """Return the Link header (RFC 8288) of a page by its number."""
    last = max(1, -(-total // per_page))
    places = {"first": 1, "prev": min(page - 1, last), "next": page + 1 if page < last else 0, "last": last}
    base = request.build_absolute_uri(request.path)
    query = {**request.query_params.dict(), "per_page": per_page}
    return ", ".join(
        f'<{base}?{urlencode({**query, "page": place})}>; rel="{rel}"' for rel, place in places.items() if place
    )
