"""The pages of operations and events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import registry, services
from apps.operations.admin.parts import children_of, kind_title, log_of, outcome, status_badge, target_link, waiting
from apps.operations.models import Event, Operation
from apps.operations.why import reason_for
from apps.system.admin import Button, ReadOnlyAdmin, Table, badge, link, pretty


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
        (None, {"fields": [("what", "state_badge"), "target_page", ("workspace", "actor")]}),
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
        facts = (
            {}
            if obj is None
            else {
                "waiting_for": obj.due_at,
                "attempts": obj.tries or obj.crashes,
                "problem": obj.error,
                "parent": obj.parent_id,
            }
        )
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
            return format_html("Operation {}: {}", link(operation), outcome(operation))

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
        return target_link(row)

    @admin.display(description="status")
    def state_badge(self, row: Operation) -> SafeString:
        """Show the status."""
        return status_badge(row)

    @admin.display(description="why it waits, or failed")
    def why(self, row: Operation) -> str:
        """Show the shortest explanation."""
        return truncatechars(row.error or waiting(row), 120)

    @admin.display(description="waiting for")
    def waiting_for(self, row: Operation) -> str:
        """Show why it is not done yet, as the API tells it."""
        reason = reason_for(row)
        return reason.message if reason else "-"

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


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Lines of the log; they are reached from their operations."""

    read_permission = "operation_read"
    list_display = ("seq", "at", "level_badge", "line", "operation_page")
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
    def line(self, row: Event) -> str:
        """Show the beginning of the line."""
        return truncatechars(row.message, 200)

    @admin.display(description="operation")
    def operation_page(self, row: Event) -> SafeString | str:
        """Show whose line it is."""
        return link(row.operation)

    @admin.display(description="message")
    def text(self, row: Event) -> SafeString:
        """Show the whole line."""
        return format_html('<span class="prose">{}</span>', row.message)

    @admin.display(description="data")
    def data_json(self, row: Event) -> SafeString | str:
        """Show what came with it."""
        return pretty(row.data)
