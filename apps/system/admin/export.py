"""A list as a CSV file: the columns that the list shows, as text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import strip_tags

MAX_EXPORTED, CHUNK = 50_000, 500
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file that returns what is written to it."""

    def write(self, value: str) -> str:
        """Return the text."""
        return value


def csv_of(pages: Any, request: HttpRequest, rows: QuerySet) -> StreamingHttpResponse:
    """Answer rows of a list as CSV, `MAX_EXPORTED` at most."""
    names = [name for name in pages.get_list_display(request) if name != "action_checkbox"]
    response = StreamingHttpResponse(lines_of(pages, names, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{pages.opts.verbose_name_plural.replace(" ", "-")}.csv"'
    return response


def lines_of(pages: Any, names: list[str], rows: QuerySet) -> Iterator[str]:
    """Yield the lines: the titles of the columns, then the rows, prepared some hundred at a time."""
    writer = csv.writer(Echo())
    yield writer.writerow([label_for_field(name, pages.model, pages) for name in names])
    chunk: list[Any] = []
    for row in rows[:MAX_EXPORTED].iterator(chunk_size=CHUNK):
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield from written(writer, pages, names, chunk)
            chunk = []
    yield from written(writer, pages, names, chunk)


def written(writer: Any, pages: Any, names: list[str], rows: list[Any]) -> Iterator[str]:
    """Yield the lines of some rows."""
    pages.prepare(rows)
    for row in rows:
        yield writer.writerow([cell(name, row, pages) for name in names])


def cell(name: str, row: Any, pages: Any) -> str:
    """Return a value as text: exact times instead of relative ones, and nothing that a spreadsheet would calculate."""
    exact = getattr(row, f"{name}_at", None)
    if isinstance(exact, datetime):
        return exact.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        _, _, value = lookup_field(name, row, pages)
    except ObjectDoesNotExist:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = unescape(strip_tags(str(value))) if value not in (None, "-") else ""
    return f"'{text}" if text.startswith(FORMULA) else text
