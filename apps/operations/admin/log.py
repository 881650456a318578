"""The log of an operation on its page: the last lines at once, earlier and matching ones when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from apps.operations.admin.parts import links_of_ids
from apps.operations.admin.wording import in_names
from apps.operations.models import Event, Operation
from apps.system.admin import facts

SHOWN_LINES, MORE_LINES, BATCH_LINES = 500, 1000, 2000
LEVELS = {
    "debug": ("debug", "info", "warning", "error"),
    "info": ("info", "warning", "error"),
    "warning": ("warning", "error"),
    "error": ("error",),
}


@dataclass(frozen=True)
class LogView:
    """The end of a log: its lines as HTML, the number of the first and the last of them, and how many there are."""

    lines: SafeString
    first: int
    last: int

    @property
    def is_cut(self) -> bool:
        """Tell whether there are earlier lines."""
        return self.first > 1


def log_end(operation: Operation) -> LogView:
    """Return the last lines, newest last."""
    events = list(operation.events.order_by("-seq")[:SHOWN_LINES])[::-1]
    return LogView(lines_of(events), events[0].seq if events else 1, events[-1].seq if events else 0)


def lines_of(events: Iterable[Event]) -> SafeString:
    """Render lines, in names; every value is escaped here, for thousands of them must be quick."""
    rows = list(events)
    links = links_of_ids([event.data for event in rows if event.data])
    texts = in_names([event.message for event in rows])
    shown = [line_of(event, text, links) for event, text in zip(rows, texts, strict=True)]
    return mark_safe("".join(shown))  # noqa: S308 - escaped one by one


def line_of(event: Event, text: str, links: Mapping[str, SafeString | str]) -> str:
    """Render one line."""
    level = escape(event.level)
    more = f"<details><summary>details</summary>{escape_safe(facts(event.data, links))}</details>" if event.data else ""
    return (
        f'<li class="c-line c-line-{level}" id="line-{event.seq}" data-seq="{event.seq}" data-level="{level}">'
        f'<a class="c-seq" href="#line-{event.seq}">{event.seq}</a>'
        f'<time datetime="{event.at:%Y-%m-%dT%H:%M:%SZ}" title="{event.at:%Y-%m-%d %H:%M:%S} UTC">{event.at:%H:%M:%S}'
        f'</time><span class="c-level">{level}</span><span class="c-message">{escape(text)}{more}</span></li>'
    )


def escape_safe(text: SafeString | str) -> str:
    """Escape a text unless it is HTML already."""
    return text if isinstance(text, SafeString) else escape(text)


def selected(operation: Operation, request: HttpRequest) -> QuerySet[Event]:
    """Select the lines of at least a level, before or after a line where one is named."""
    found = Q()
    level = request.GET.get("level", "")
    if level in LEVELS and level != "debug":
        found &= Q(level__in=LEVELS[level])
    for name, lookup in (("before", "seq__lt"), ("after", "seq__gt")):
        number = request.GET.get(name, "")
        if number.isascii() and number.isdigit() and len(number) < 10:
            found &= Q(**{lookup: int(number)})
    return operation.events.filter(found)


def with_text(events: QuerySet[Event], text: str, limit: int) -> list[Event]:
    """Return the first so many events whose line contains a text, in any case, as it is shown: in names."""
    rows: list[Event] = []
    for at in count(0, BATCH_LINES):
        batch = list(events[at : at + BATCH_LINES])
        texts = in_names([event.message for event in batch])
        rows += [event for event, shown in zip(batch, texts, strict=True) if text in shown.lower()]
        if len(rows) >= limit or len(batch) < BATCH_LINES:
            return rows[:limit]
    return rows


def log_fragment(operation: Operation, request: HttpRequest) -> HttpResponse:
    """Answer the last matching lines as HTML, or with `after` the first ones; a header tells of others beyond them."""
    is_after, limit = "after" in request.GET, MORE_LINES + 1
    text = request.GET.get("q", "").strip()[:200].lower()
    ordered = selected(operation, request).order_by("seq" if is_after else "-seq")
    events = with_text(ordered, text, limit) if text else list(ordered[:limit])
    shown = events[:MORE_LINES]
    response = HttpResponse(lines_of(shown if is_after else shown[::-1]))
    response["X-More-Lines" if is_after else "X-Earlier-Lines"] = "yes" if len(events) > MORE_LINES else "no"
    return response


def log_file(operation: Operation) -> StreamingHttpResponse:
    """Answer the whole log as a text file, line by line."""
    response = StreamingHttpResponse(text_lines(operation), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="operation-{operation.pk}.log"'
    return response


def text_lines(operation: Operation) -> Iterator[str]:
    """Yield the lines of the file."""
    for event in operation.events.order_by("seq").iterator(chunk_size=1000):
        yield f"{event.seq} {event.at:%Y-%m-%dT%H:%M:%SZ} {event.level.upper()} {event.message}\n"
