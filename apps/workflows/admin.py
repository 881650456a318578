"""Workflows in the admin: their steps, why they wait or failed, and cancelling."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin import kind_pages, status_badge, waiting
from apps.operations.models import Operation
from apps.system.admin import Button, ReadOnlyAdmin, Table, badge, link, list_of, pretty
from apps.workflows import services
from apps.workflows.definitions import definitions
from apps.workflows.models import RUN, Step, Workflow

SHOWN_STEPS = 200

kind_pages[RUN] = "admin:workflows_workflow_change"


class TypeFilter(admin.SimpleListFilter):
    """Pick workflows by type, asking the definitions which there are."""

    title, parameter_name = "type", "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the definitions."""
        return [(name, definition.title) for name, definition in definitions().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """Workflows."""

    read_permission = "workflow_read"
    list_display = ("type", "target", "state_badge", "why", "workspace", "actor", "created_at")
    list_filter = ("operation__status", TypeFilter, "operation__workspace")
    list_select_related = ("operation__workspace", "operation__actor")
    sortable_by = ("created_at",)
    ordering = ("-operation__created_at", "-operation")
    search_fields = ("operation", "operation__target")
    search_help_text = "A workflow's id, or part of a target such as cluster:k8s."
    actions = ["cancel_selected"]
    fieldsets = [
        (None, {"fields": [("type", "state_badge"), "why", "operation_page", "target", ("workspace", "actor")]}),
        ("Parameters and outputs", {"fields": ["parameters_json", "outputs_json"]}),
        ("Definition", {"classes": ["collapse"], "fields": ["definition_json"]}),
    ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by id, or by a part of the target."""
        term = search_term.strip()
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            return queryset.filter(operation__target__contains=term) if term else queryset, False

    def has_workflow_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to cancel."""
        return self.allows(request, "workflow_cancel")

    @admin.action(description="Cancel selected workflows", permissions=["workflow_cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Cancel workflows; what they made is taken back."""

        def cancel(workflow: Workflow) -> SafeString:
            operation = services.cancel_workflow(operation=workflow.operation)
            return format_html("{}: {}", link(workflow), operation.status)

        self.act_on_each(request, queryset, cancel, note="Cancelled.")

    def buttons(self, request: HttpRequest, row: Workflow) -> list[Button]:
        """Offer to cancel what has not ended."""
        warning = "What it has under way is stopped, and what it made is taken back."
        return [] if row.operation.has_ended else [Button("cancel_selected", "Cancel workflow", warning)]

    def tables(self, request: HttpRequest, row: Workflow) -> list[Table]:
        """Show the steps."""
        steps = services.steps_of(row.operation).select_related("operation", "rollback_operation")
        cells = [step_cells(step) for step in steps[: SHOWN_STEPS + 1]]
        title = f"Steps, the first {SHOWN_STEPS}" if len(cells) > SHOWN_STEPS else "Steps"
        columns = ["Step", "Uses", "Status", "Operation", "Taken back by", "Error"]
        return [Table(title, columns, cells[:SHOWN_STEPS], list_of(Operation, parent=row.pk), "Show its operations")]

    @admin.display(description="target")
    def target(self, row: Workflow) -> str:
        """Show what it changes."""
        return row.operation.target or "-"

    @admin.display(description="status")
    def state_badge(self, row: Workflow) -> SafeString:
        """Show the status."""
        return status_badge(row.operation)

    @admin.display(description="why it waits, or failed")
    def why(self, row: Workflow) -> str:
        """Show the explanation."""
        return row.operation.error or waiting(row.operation) or "-"

    @admin.display(description="workspace")
    def workspace(self, row: Workflow) -> str:
        """Show where it works."""
        return str(row.operation.workspace)

    @admin.display(description="actor")
    def actor(self, row: Workflow) -> str:
        """Show who asked for it."""
        return str(row.operation.actor or "-")

    @admin.display(description="created", ordering="operation__created_at")
    def created_at(self, row: Workflow) -> Any:
        """Show when it was submitted."""
        return row.operation.created_at

    @admin.display(description="operation")
    def operation_page(self, row: Workflow) -> SafeString | str:
        """Show the operation, with its log."""
        return link(row.operation)

    @admin.display(description="parameters")
    def parameters_json(self, row: Workflow) -> SafeString | str:
        """Show what was asked for."""
        return pretty(row.parameters)

    @admin.display(description="outputs")
    def outputs_json(self, row: Workflow) -> SafeString | str:
        """Show what came of it."""
        return pretty(row.outputs)

    @admin.display(description="definition")
    def definition_json(self, row: Workflow) -> SafeString | str:
        """Show the definition it runs."""
        return pretty(row.definition)


def step_cells(step: Step) -> list[Any]:
    """Show one step."""
    back = (
        format_html("{} {}", link(step.rollback_operation, "operation"), badge(step.rollback)) if step.rollback else "-"
    )
    said = " ".join(text for text in (step.error, step.rollback_error) if text)
    return [step.name, step.uses, badge(step.status), link(step.operation, "operation"), back, said]
