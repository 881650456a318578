"""The pages of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars, truncatechars_html
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import cancellation
from apps.operations.admin.filters import CREATED, KindFilter, ProgressFilter
from apps.operations.admin.live import LiveMixin
from apps.operations.admin.names import title_of
from apps.operations.admin.parts import (
    child_tables,
    named_facts,
    operation_link,
    outcome,
    result_view,
    status_badge,
    target_link,
    took,
)
from apps.operations.admin.rerun import rerun_link, rerun_of, rerun_permissions
from apps.operations.admin.search import HELP, search
from apps.operations.admin.waits import wait_sentence
from apps.operations.admin.wording import error_of, name_all
from apps.operations.errors import AsksForValues, CannotRunAgain
from apps.operations.hidden_input import hidden_in
from apps.operations.models import Operation
from apps.system.admin import Button, PageLink, Problem, ReadOnlyAdmin, Table, ago, linked


def counted(number: int, noun: str) -> str:
    """Return how many there are in words; nothing where there are none."""
    return f"{number} {noun}{'' if number == 1 else 's'}" if number > 0 else ""


@admin.register(Operation)
class OperationAdmin(LiveMixin, ReadOnlyAdmin):
    """Operations."""

    read_permission = "operation_read"
    empty_text = "Each change is an operation: creating a server is one. They are listed here with their logs."
    change_form_template = "admin/operations/operation.html"
    list_display = ("what", "state_badge", "target_page", "why", "workspace", "asked_by", "created", "took")
    list_filter = ("status", KindFilter, "workspace", "actor", CREATED, ProgressFilter)
    list_filter_submit = True
    list_select_related = ("workspace", "actor")
    sortable_by = ("created",)
    ordering = ("-created_at", "-id")
    search_fields = ("id", "target")
    search_help_text = HELP
    actions = ["cancel_selected", "run_again"]
    fieldsets = [
        (
            "Request",
            {
                "fields": [
                    "target_page",
                    linked("workspace"),
                    linked("actor", "asked by"),
                    "origin",
                    "parent_page",
                    "created",
                    "request_facts",
                ]
            },
        ),
        ("Outcome", {"fields": ["started", "ended", "took", "attempts_text", "result_facts"]}),
        (
            "For engineers",
            {
                "classes": ["collapse"],
                "fields": ["id", "kind", "worker", "due", "deadline", "cancel_requested", "error_code"],
            },
        ),
    ]

    def prepare(self, rows: Sequence[Operation]) -> None:
        """Name what they do and to what."""
        name_all(rows, targets=True)

    def page_title(self, row: Operation) -> str:
        """Return what it does."""
        return title_of(row)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by the beginning of id or target, or by the name of what is changed."""
        term = search_term.strip()
        return queryset.filter(pk__in=search(term)) if term else queryset, False

    def has_operation_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to cancel."""
        return self.allows(request, "operation_cancel")

    def has_run_again_permission(self, request: HttpRequest) -> bool:
        """Ask for one of the permissions that doing something again takes; each operation asks for its own."""
        return any(self.allows(request, permission) for permission in rerun_permissions())

    @admin.action(description="Cancel selected operations", permissions=["operation_cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Cancel operations; what they made is undone."""

        give_up = cancellation.cancel_deadline()

        def cancel(operation: Operation) -> SafeString:
            cancellation.cancel(operation=operation, give_up=give_up, requested=operation.pk in requested)
            return format_html("{}: {}", operation_link(operation), outcome(operation))

        chosen = self.limited_selection(request, queryset.select_related(None))
        requested = cancellation.request_cancel_of_all(chosen)
        self.act_on_each(request, chosen, cancel, note="Cancelled.")

    @admin.action(description="Run again with the same values", permissions=["run_again"])
    def run_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Do again what ended operations did, each with the permission of its own service."""

        def again(operation: Operation) -> SafeString:
            rerun = rerun_of(operation)
            if rerun_link(operation):
                raise AsksForValues
            if rerun is None or not self.allows(request, rerun.permission):
                raise CannotRunAgain
            return format_html("{} is queued.", operation_link(rerun.submit(operation, request.user)))

        self.act_on_each(request, queryset.select_related(None), again, note="Run again.")

    def buttons(self, request: HttpRequest, row: Operation) -> list[Button]:
        """Offer to cancel what has not ended, and to do again what has."""
        if not row.has_ended:
            return [Button("cancel_selected", "Cancel operation", "What it has made so far is undone.")]
        rerun = rerun_of(row)
        if rerun is None or not self.allows(request, rerun.permission):
            return []
        return [Button("run_again", "Retry" if row.status == Operation.Status.FAILED else rerun.label, rerun.warning)]

    def page_links(self, request: HttpRequest, row: Operation) -> list[PageLink]:
        """Lead to the form by which it is done again, where there is one."""
        link = rerun_link(row)
        return [link] if link else []

    def problems(self, request: HttpRequest, row: Operation) -> list[Problem]:
        """Say why it failed, or what could not be undone."""
        if not row.error:
            return []
        title = "It failed" if row.status == Operation.Status.FAILED else "It could not be undone completely"
        return [Problem(title, error_of(row))]

    def tables(self, request: HttpRequest, row: Operation) -> list[Table]:
        """Show its steps."""
        return child_tables(row)

    @admin.display(description="operation")
    def what(self, row: Operation) -> str:
        """Show what it does."""
        return title_of(row)

    @admin.display(description="target")
    def target_page(self, row: Operation) -> SafeString | str:
        """Show what it changes."""
        return target_link(row)

    @admin.display(description="part of")
    def parent_page(self, row: Operation) -> SafeString | str:
        """Show the operation that started it."""
        return operation_link(row.parent)

    def get_fieldsets(self, request: HttpRequest, obj: Operation | None = None) -> Any:
        """Show where a request came from to its author and to those who may read users."""
        found = super().get_fieldsets(request, obj)
        if request.user.has_perm("accounts.view_user") or (obj and obj.actor_id == request.user.pk):
            return found
        return [
            (title, {**group, "fields": [name for name in group["fields"] if name != "origin"]})
            for title, group in found
        ]

    @admin.display(description="asked by")
    def asked_by(self, row: Operation) -> str:
        """Show the user who asked for it."""
        return str(row.actor or "-")

    @admin.display(description="asked from")
    def origin(self, row: Operation) -> str:
        """Show the client's address of the request."""
        return row.requested_from or "-"

    @admin.display(description="status")
    def state_badge(self, row: Operation) -> SafeString:
        """Show the status."""
        return status_badge(row)

    @admin.display(description="why it waits, or failed")
    def why(self, row: Operation) -> SafeString | str:
        """Show the shortest explanation."""
        return truncatechars(error_of(row), 120) or truncatechars_html(wait_sentence(row), 160)

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Operation) -> SafeString | str:
        """Show when it was asked for."""
        return ago(row.created_at)

    @admin.display(description="started")
    def started(self, row: Operation) -> SafeString | str:
        """Show when its first step began."""
        return ago(row.started_at, empty="not yet")

    @admin.display(description="ended")
    def ended(self, row: Operation) -> SafeString | str:
        """Show when its outcome was known."""
        return ago(row.ended_at, empty="not yet")

    @admin.display(description="took")
    def took(self, row: Operation) -> str:
        """Show how long it took."""
        return took(row)

    @admin.display(description="attempts")
    def attempts_text(self, row: Operation) -> str:
        """Show what has failed since its last progress."""
        lost = row.crash_count - bool(row.lease_owner)  # a claim counts as a crash until its step ends
        parts = [counted(row.attempts, "failed attempt"), counted(lost, "lost worker")]
        return f"{', '.join(filter(None, parts))} since its last progress" if any(parts) else "-"

    @admin.display(description="values")
    def request_facts(self, row: Operation) -> SafeString | str:
        """Show what was asked for."""
        return named_facts(hidden_in(row).hide(row.params))

    @admin.display(description="result")
    def result_facts(self, row: Operation) -> SafeString | str:
        """Show what came of it."""
        return "listed above" if result_view(row) else named_facts(row.result)

    @admin.display(description="worker")
    def worker(self, row: Operation) -> str:
        """Show who holds it."""
        return f"{row.lease_owner} (claim {row.fence})" if row.lease_owner else "-"

    @admin.display(description="due")
    def due(self, row: Operation) -> SafeString | str:
        """Show when a worker may take it."""
        return ago(row.due_at)

    @admin.display(description="fails if not done")
    def deadline(self, row: Operation) -> SafeString | str:
        """Show its deadline."""
        return ago(row.deadline_at)

    @admin.display(description="asked to stop")
    def cancel_requested(self, row: Operation) -> SafeString | str:
        """Show when its cancellation was asked for."""
        return ago(row.cancel_requested_at)
