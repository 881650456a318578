"""Operations in the admin: what happens, why it waits, and cancelling."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import registry, services
from apps.operations.models import Event, Operation
from apps.system.admin import Button, ReadOnlyAdmin, Table, badge, link, list_of, pretty

SHOWN_EVENTS, SHOWN_CHILDREN = 500, 100

# What the first part of a target means: the apps above name the admin page that takes its second part.
target_pages: dict[str, str] = {}


def target_link(target: str) -> SafeString | str:
    """Show a target as a link to its page, where it has one."""
    prefix, _, key = target.partition(":")
    if prefix in target_pages and key:
        return format_html('<a href="{}">{}</a>', reverse(target_pages[prefix], args=[key]), target)
    return target or "-"


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
    """Say why an operation is not done yet; nothing once it is."""
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
            [link(row, kind_title(row)), status_badge(row), row.actor, row.created_at, row.error or row.note]
            for row in rows
        ],
        more=more,
        empty="No operations.",
        permission="operation_read",
    )


class KindFilter(admin.SimpleListFilter):
    """Pick operations by kind, without asking the table which there are."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the kinds that are registered."""
        return sorted((name, kind.title) for name, kind in registry.kinds().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    """Operations."""

    read_permission = "operation_read"
    list_display = ("what", "target_page", "state_badge", "why", "workspace", "actor", "created_at")
    list_filter = ("status", KindFilter, "workspace")
    list_select_related = ("workspace", "actor")
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-id")
    search_fields = ("id", "target")
    search_help_text = "An operation's id, or part of a target such as server:srv-…"
    actions = ["cancel_selected"]
    fieldsets = [
        (None, {"fields": [("what", "state_badge"), "target_page", "parent", ("workspace", "actor")]}),
        ("Request and result", {"fields": ["params_json", "result_json"]}),
        (
            "Times and engine",
            {
                "classes": ["collapse"],
                "fields": [
                    ("created_at", "started_at", "ended_at"),
                    ("updated_at", "deadline_at", "cancel_asked_at"),
                    ("due_at", "lease_owner", "fence"),
                    ("tries", "crashes"),
                    ("id", "kind"),
                    "state_json",
                ],
            },
        ),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Operation | None = None) -> list[tuple[str | None, dict]]:
        """Begin with why it waits or failed, where it does."""
        facts = {"waiting_for": obj.due_at, "attempts": obj.tries or obj.crashes, "problem": obj.error} if obj else {}
        urgent = [name for name, fact in facts.items() if fact]
        (title, first), *others = super().get_fieldsets(request, obj)
        head, *rest = first["fields"]
        return [(title, {**first, "fields": [head, *urgent, *rest]}), *others]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by id, or by a part of the target."""
        term = search_term.strip()
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            return queryset.filter(target__contains=term) if term else queryset, False

    def has_operation_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to cancel."""
        return self.allows(request, "operation_cancel")

    @admin.action(description="Cancel selected operations", permissions=["operation_cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Cancel operations; what they made is undone."""

        def cancel(operation: Operation) -> SafeString:
            services.cancel(operation=operation)
            return format_html("{}: {}", link(operation, f"{operation.kind} {operation.pk}"), outcome(operation))

        self.act_on_each(request, queryset.select_related(None), cancel, note="Cancelled.")

    def buttons(self, request: HttpRequest, row: Operation) -> list[Button]:
        """Offer to cancel what has not ended."""
        warning = "What it has made so far is undone."
        return [] if row.has_ended else [Button("cancel_selected", "Cancel operation", warning)]

    def tables(self, request: HttpRequest, row: Operation) -> list[Table]:
        """Show steps and log."""
        return [*children_of(row), log_of(row)]

    @admin.display(description="operation")
    def what(self, row: Operation) -> str:
        """Show what it does."""
        return kind_title(row) + (" (check only)" if row.check_mode else "")

    @admin.display(description="target")
    def target_page(self, row: Operation) -> SafeString | str:
        """Show what it changes."""
        return target_link(row.target)

    @admin.display(description="status")
    def state_badge(self, row: Operation) -> SafeString:
        """Show the status."""
        return status_badge(row)

    @admin.display(description="why it waits, or failed")
    def why(self, row: Operation) -> str:
        """Show the shortest explanation."""
        text = row.error or (waiting(row) if row.due_at else "")
        return text if len(text) <= 120 else text[:119] + "…"

    @admin.display(description="waiting for")
    def waiting_for(self, row: Operation) -> str:
        """Show why it is not done yet."""
        return waiting(row) or "-"

    @admin.display(description="attempts")
    def attempts(self, row: Operation) -> str:
        """Show what has failed since it last got on."""
        return f"{row.tries} failed tries, {row.crashes} crashed workers since it last got on"

    @admin.display(description="error")
    def problem(self, row: Operation) -> SafeString | str:
        """Show why it failed, or what could not be undone."""
        if not row.error:
            return "-"
        return format_html(
            '<span class="prose">{}{}</span>', f"{row.error_code}: " if row.error_code else "", row.error
        )

    @admin.display(description="parameters")
    def params_json(self, row: Operation) -> SafeString | str:
        """Show what was asked for."""
        return pretty(row.params)

    @admin.display(description="state")
    def state_json(self, row: Operation) -> SafeString | str:
        """Show what the steps keep."""
        return pretty(row.state)

    @admin.display(description="result")
    def result_json(self, row: Operation) -> SafeString | str:
        """Show what came of it."""
        return pretty(row.result)


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
    rows = [[link(row, kind_title(row)), target_link(row.target), status_badge(row), row.error] for row in children]
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


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Lines of the log; they are reached from their operations."""

    read_permission = "operation_read"
    list_display = ("seq", "at", "level_badge", "message", "operation")
    list_filter = ("level",)
    list_select_related = ("operation",)
    sortable_by = ()
    ordering = ("-id",)
    fieldsets = [(None, {"fields": ["operation", "seq", "at", "level_badge", "text", "data_json"]})]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Leave the index to operations."""
        return {}

    @admin.display(description="level")
    def level_badge(self, row: Event) -> SafeString:
        """Show how much it matters."""
        return badge(row.level)

    @admin.display(description="message")
    def text(self, row: Event) -> SafeString:
        """Show the whole line."""
        return format_html('<span class="prose">{}</span>', row.message)

    @admin.display(description="data")
    def data_json(self, row: Event) -> SafeString | str:
        """Show what came with it."""
        return pretty(row.data)
