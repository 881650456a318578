"""How operations look, on their own pages and on those of the apps above."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import quote
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin.names import is_target_there, names_of_ids, target_name, title_of
from apps.operations.admin.wording import error_of, message_of, name_all
from apps.operations.models import Operation
from apps.system.admin import Table, ago, badge, duration, facts, link, list_of, may_open

SHOWN_CHILDREN = 100

_target_pages: dict[str, str] = {}
_kind_pages: dict[str, str] = {}
_result_views: dict[str, Callable[[Operation], SafeString | None]] = {}


def register_target_page(prefix: str, page: str) -> None:
    """Add the admin page, by its URL name, of targets `prefix:key`; it takes the key."""
    _target_pages[prefix] = page


def target_prefixes() -> list[str]:
    """Return the prefixes of targets that have a page."""
    return sorted(_target_pages)


def register_kind_page(kind: str, page: str) -> None:
    """Add the admin page, by its URL name, that replaces that of a kind's operations; it takes the operation's id."""
    _kind_pages[kind] = page


def register_result_view(kind: str, view: Callable[[Operation], SafeString | None]) -> None:
    """Add what shows results of a kind as HTML, in place of a list of facts; None leaves a result to that list."""
    _result_views[kind] = view


def result_view(operation: Operation) -> SafeString | None:
    """Return an operation's result as its kind shows it, None where it has no way of its own."""
    if not hasattr(operation, "shown_result"):
        view = _result_views.get(operation.kind)
        operation.shown_result = view(operation) if view and operation.result is not None else None  # type: ignore[attr-defined]
    return operation.shown_result  # type: ignore[attr-defined]


def target_link(operation: Operation) -> SafeString | str:
    """Show what an operation changes as a link, to its own page or to that of the target, where there is one."""
    prefix, _, key = operation.target.partition(":")
    name = target_name(operation)
    if operation.kind in _kind_pages and may_open(model_of(_kind_pages[operation.kind])):
        address = reverse(_kind_pages[operation.kind], args=[operation.pk])
    elif is_target_there(operation) and prefix in _target_pages and may_open(model_of(_target_pages[prefix])):
        address = reverse(_target_pages[prefix], args=[quote(key)])
    else:
        return name or "-"
    return format_html('<a href="{}">{}</a>', address, name or title_of(operation))


def named_facts(value: Any) -> SafeString | str:
    """Show a value of JSON as facts, with the names of servers and the like instead of their ids."""
    return facts(value, links_of_ids(value))


def links_of_ids(*values: Any) -> dict[str, SafeString | str]:
    """Return the names of what is known of the ids in values of JSON, by id, linked for those who may open them."""
    shown = {}
    for key, (prefix, name) in names_of_ids(*values).items():
        page = _target_pages.get(prefix, "")
        shown[key] = (
            format_html('<a href="{}">{}</a>', reverse(page, args=[quote(key)]), name)
            if page and may_open(model_of(page))
            else name
        )
    return shown


def model_of(page: str) -> type[Model]:
    """Return the model that a page such as `admin:servers_server_change` is of."""
    app, model, _ = page.removeprefix("admin:").split("_")
    return apps.get_model(app, model)


def operation_link(operation: Operation | None) -> SafeString | str:
    """Show an operation by what it does, linked for those who may open it."""
    return link(operation, title_of(operation)) if operation else "-"


def status_badge(operation: Operation) -> SafeString:
    """Show the status in its color, and that something is being undone."""
    if operation.is_undoing:
        return format_html("{} {}", badge(operation.status), badge("undoing"))
    return badge(operation.status)


def took(operation: Operation) -> str:
    """Say how long an operation took, or has been under way."""
    if operation.started_at is None:
        return "-"
    return duration((operation.ended_at or timezone.now()) - operation.started_at)


def operations_table(
    operations: QuerySet, *, title: str, more: str = "", empty: str = "No operations.", max_rows: int = 20
) -> Table:
    """Return operations as a table for another page, newest first."""
    rows = list(operations.select_related("actor").order_by("-created_at", "-id")[:max_rows])
    name_all(rows)
    return Table(
        title=title,
        columns=["Operation", "Status", "Asked by", "Created", "Took", "What it says"],
        rows=[
            [
                operation_link(row),
                status_badge(row),
                row.actor,
                ago(row.created_at),
                took(row),
                error_of(row) or message_of(row) or "-",
            ]
            for row in rows
        ],
        more=more if len(rows) == max_rows else "",
        empty=empty,
        permission="operation_read",
    )


def outcome(operation: Operation) -> str:
    """Describe the state after a cancel."""
    if not operation.has_ended:
        return "cancel requested; its worker is still at work."
    if operation.is_undoing:
        return "cancelled; what it made is being undone."
    return f"{operation.status}."


def child_tables(operation: Operation) -> list[Table]:
    """Return the operations that this one has started, oldest first."""
    children = list(operation.children.order_by("created_at", "id")[:SHOWN_CHILDREN])
    if not children:
        return []
    name_all(children, targets=True)
    rows = [
        [operation_link(row), target_link(row), status_badge(row), took(row), error_of(row) or message_of(row)]
        for row in children
    ]
    more = list_of(Operation, parent=operation.pk) if len(children) == SHOWN_CHILDREN else ""
    return [Table("Steps", ["Operation", "Target", "Status", "Took", "What it says"], rows, more, "Show all in a list")]
