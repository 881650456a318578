"""How operations and their logs look, on their own pages and on those of the apps above."""

from __future__ import annotations

from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import registry
from apps.operations.models import Event, Operation
from apps.system.admin import Table, badge, link, list_of, pretty

SHOWN_EVENTS, SHOWN_CHILDREN = 500, 100

# What the first part of a target means: the apps above name the admin page that takes its second part.
target_pages: dict[str, str] = {}


# Kinds whose operations have a page of another app too, under the same id.
kind_pages: dict[str, str] = {}


def target_link(operation: Operation) -> SafeString | str:
    """Show what an operation changes as a link, to its own page or to that of the target, where there is one."""
    prefix, _, key = operation.target.partition(":")
    if operation.kind in kind_pages:
        address = reverse(kind_pages[operation.kind], args=[operation.pk])
    elif prefix in target_pages and key:
        address = reverse(target_pages[prefix], args=[quote(key)])
    else:
        return operation.target or "-"
    return format_html('<a href="{}">{}</a>', address, operation.target or kind_title(operation))


def kind_title(operation: Operation) -> str:
    """Return what an operation does, in words."""
    kind = registry.kinds().get(operation.kind)
    return kind.title if kind else operation.kind


def status_badge(operation: Operation) -> SafeString:
    """Show the status in its colour, and that something is being undone."""
    if operation.is_undoing:
        return format_html("{} {}", badge(operation.status), badge("undoing"))
    return badge(operation.status)


def waiting(operation: Operation) -> str:
    """Say in a list why an operation is not done yet, from its row alone; nothing once it is."""
    if operation.due_at is None:
        return ""
    when = localize(operation.due_at)
    if operation.lease_owner:
        told = " It has been told to stop." if operation.cancel_asked_at and not operation.has_ended else ""
        return f"At work in {operation.lease_owner}; its lease runs until {when}.{told}"
    if operation.due_at <= timezone.now():
        return f"{operation.note} Due since {when}; waits for a free worker.".strip()
    return f"{operation.note.rstrip('.') or 'Waiting'}. Next try at {when}."


def operations_table(operations: QuerySet, *, title: str, more: str, most: int = 20) -> Table:
    """Return operations as a table for another page, newest first."""
    rows = operations.select_related("actor").order_by("-created_at", "-id")[:most]
    return Table(
        title=title,
        columns=["Operation", "Status", "Asked by", "Created", "What it says"],
        rows=[
            [link(row, kind_title(row)), status_badge(row), row.actor, row.created_at, row.error or row.note or "-"]
            for row in rows
        ],
        more=more,
        empty="No operations.",
        permission="operation_read",
    )


def outcome(operation: Operation) -> str:
    """Say what cancelling came to, as it then truly is."""
    if not operation.has_ended:
        return "told to stop; its worker is still at work."
    if operation.is_undoing:
        return "cancelled; what it made is being undone."
    return f"{operation.status}."


def children_of(operation: Operation) -> list[Table]:
    """Return the operations that this one has started, oldest first."""
    children = list(operation.children.order_by("created_at", "id")[:SHOWN_CHILDREN])
    if not children:
        return []
    rows = [[link(row, kind_title(row)), target_link(row), status_badge(row), row.error] for row in children]
    more = list_of(Operation, parent=operation.pk)
    return [Table("Children", ["Operation", "Target", "Status", "Error"], rows, more, "Show all in a list")]


def log_of(operation: Operation) -> Table:
    """Return the end of the log, newest last."""
    events = list(operation.events.order_by("-seq")[:SHOWN_EVENTS])[::-1]
    cut = f", the last {SHOWN_EVENTS} of {events[-1].seq} lines" if events and events[0].seq > 1 else ""
    return Table(
        title=f"Events{cut}",
        columns=["#", "Time", "Level", "Message"],
        rows=[[link(event, event.seq), event.at, badge(event.level), event_text(event)] for event in events],
        more=list_of(Event, operation=operation.pk) if cut else "",
        more_text="Show all events",
        empty="Nothing has happened yet.",
    )


def event_text(event: Event) -> SafeString:
    """Show a line, its data folded away."""
    data = format_html("<details><summary>data</summary>{}</details>", pretty(event.data)) if event.data else ""
    return format_html("{}{}", event.message, data)
