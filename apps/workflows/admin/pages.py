"""Workflows in the admin: their steps, why they wait or failed, and cancelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import cancellation
from apps.operations.admin import (
    HELP,
    as_sentence,
    error_of,
    in_names,
    kind_title,
    message_of,
    name_all,
    named_facts,
    operation_link,
    register_kind_page,
    rerun_link,
    search,
    status_badge,
    step_name,
    took,
    wait_sentence,
    without_code,
    word_all,
)
from apps.operations.models import Operation
from apps.system.admin import (
    Button,
    PageLink,
    Problem,
    ReadOnlyAdmin,
    Table,
    ago,
    badge,
    duration,
    exact,
    link,
    list_of,
)
from apps.system.errors import DomainError
from apps.workflows import services
from apps.workflows.admin.actions import ActionsMixin
from apps.workflows.admin.problems import problems_of
from apps.workflows.admin.submit import SubmitMixin, as_html
from apps.workflows.admin.titles import workflow_title
from apps.workflows.definition import RUN
from apps.workflows.models import Step, Workflow
from apps.workflows.services.definitions import all_definitions
from apps.workflows.services.graphs import svg_of_workflow
from apps.workflows.services.pinned_definition import secrets_of

SHOWN_STEPS = 200

register_kind_page(RUN, "admin:workflows_workflow_change")


class TypeFilter(admin.SimpleListFilter):
    """Pick workflows by type, asking the package and what was uploaded which there are."""

    title, parameter_name = "type", "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the definitions."""
        return [(name, found.definition.title) for name, found in all_definitions().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(type=self.value()) if self.value() else queryset


class WaitingFilter(admin.SimpleListFilter):
    """Pick workflows that wait for somebody."""

    title, parameter_name = "waiting", "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer what they may wait for."""
        return [("approval", "for an approval")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        if self.value() != "approval":
            return queryset
        return queryset.filter(pk__in=services.awaiting_approval(services.workflows_for(request.user)).values("pk"))


@admin.register(Workflow)
class WorkflowAdmin(SubmitMixin, ActionsMixin, ReadOnlyAdmin):
    """Workflows."""

    read_permission = "workflow_read"
    add_label = "Run a workflow"
    empty_text = "A workflow does several steps as one, such as making a cluster."
    first_step = "Choose a type, and preview it first."
    list_display = ("what", "state_badge", "why", "workspace", "asked_by", "created", "took")
    list_filter = ("operation__status", WaitingFilter, TypeFilter, "operation__workspace")
    list_select_related = ("operation__workspace", "operation__actor")
    sortable_by = ("created",)
    ordering = ("-operation__created_at", "-operation")
    search_fields = ("operation", "operation__target")
    search_help_text = HELP
    actions = [
        *("approve_workflows", "reject_workflows", "resume_workflows", "roll_back_workflows"),
        "cancel_selected",
    ]
    change_form_template = "admin/workflows/workflow.html"
    fieldsets = [
        ("", {"fields": ["state_badge", "why", "operation_page", "workspace_page", "asked_by", "created", "took"]}),
        ("Request", {"fields": ["parameter_facts"]}),
        ("Outcome", {"fields": ["output_facts"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Name the kind too, by whose index workflows are found in the order of their creation."""
        return super().get_queryset(request).filter(operation__kind=RUN)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by the beginning of id or target."""
        term = search_term.strip()
        return queryset.filter(pk__in=search(term)) if term else queryset, False

    def has_workflow_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to cancel."""
        return self.allows(request, "workflow_cancel")

    @admin.action(description="Cancel selected workflows", permissions=["workflow_cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Cancel workflows; what they made is taken back."""

        give_up = cancellation.cancel_deadline()

        def cancel(workflow: Workflow) -> SafeString:
            operation = services.cancel_workflow(
                operation=workflow.operation, give_up=give_up, requested=workflow.pk in requested
            )
            return format_html("{}: {}", link(workflow, workflow_title(workflow)), operation.status)

        chosen = self.limited_selection(request, queryset)
        requested = cancellation.request_cancel_of_all(workflow.operation for workflow in chosen)
        self.act_on_each(request, chosen, cancel, note="Cancelled.")

    def buttons(self, request: HttpRequest, row: Workflow) -> list[Button]:
        """Offer to cancel what has not ended."""
        warning = "What it has under way is stopped, and what it made is taken back."
        if row.operation.has_ended:
            return self.after_buttons(row)
        return [*self.decision_buttons(request, row), Button("cancel_selected", "Cancel workflow", warning)]

    def page_links(self, request: HttpRequest, row: Workflow) -> list[PageLink]:
        """Lead to the form that runs it again."""
        link = rerun_link(row.operation)
        return [link] if link else []

    def problems(self, request: HttpRequest, row: Workflow) -> list[Problem]:
        """Say what it asks for, or why it failed and what to do next."""
        return problems_of(row, request.user)

    def is_changing(self, row: Workflow, problems: Sequence[Problem]) -> bool:
        """Follow a workflow until nothing of it is left to do."""
        return row.operation.due_at is not None

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """Add the picture of its steps, each leading to its log."""
        row = options.get("obj") or context.get("original")
        if row is not None:
            context["picture"] = picture_of(row)
        return super().render_change_form(request, context, *args, **options)

    def tables(self, request: HttpRequest, row: Workflow) -> list[Table]:
        """Show the steps."""
        steps = services.steps_of(row.operation).select_related("operation", "rollback_operation")
        shown = list(steps[: SHOWN_STEPS + 1])
        name_all([step.operation for step in shown if step.operation])
        texts = in_names([without_code(" ".join(filter(None, (step.error, step.rollback_error)))) for step in shown])
        cells = [step_cells(step, text) for step, text in zip(shown, texts, strict=True)]
        title = f"Steps, the first {SHOWN_STEPS}" if len(cells) > SHOWN_STEPS else "Steps"
        columns = ["Step", "What it does", "Status", "Took", "Taken back", "What it says"]
        return [Table(title, columns, cells[:SHOWN_STEPS], list_of(Operation, parent=row.pk), "Show its operations")]

    def prepare(self, rows: Sequence[Workflow]) -> None:
        """Name what they do."""
        word_all([row.operation for row in rows])
        for row in rows:
            row.phrase = workflow_title(row)  # type: ignore[attr-defined]

    def page_title(self, row: Workflow) -> str:
        """Return what it does; of one that is about no single thing also when, to tell several of a type apart."""
        when = "" if row.operation.target else f", {exact(row.operation.created_at)}"
        return f"{workflow_title(row)}{when}"

    @admin.display(description="workflow")
    def what(self, row: Workflow) -> str:
        """Show what it does."""
        return row.phrase if hasattr(row, "phrase") else workflow_title(row)

    @admin.display(description="status")
    def state_badge(self, row: Workflow) -> SafeString:
        """Show the status."""
        return status_badge(row.operation)

    @admin.display(description="why it waits, or failed")
    def why(self, row: Workflow) -> str:
        """Show the explanation."""
        return error_of(row.operation) or wait_sentence(row.operation) or "-"

    @admin.display(description="workspace")
    def workspace(self, row: Workflow) -> str:
        """Show where it works."""
        return str(row.operation.workspace)

    @admin.display(description="workspace")
    def workspace_page(self, row: Workflow) -> SafeString | str:
        """Show where it works, with a link."""
        return link(row.operation.workspace)

    @admin.display(description="asked by")
    def asked_by(self, row: Workflow) -> str:
        """Show who asked for it."""
        return str(row.operation.actor or "-")

    @admin.display(description="created", ordering="operation__created_at")
    def created(self, row: Workflow) -> SafeString | str:
        """Show when it was submitted."""
        return ago(row.operation.created_at)

    @admin.display(description="took")
    def took(self, row: Workflow) -> str:
        """Show how long it took."""
        return took(row.operation)

    @admin.display(description="operation")
    def operation_page(self, row: Workflow) -> SafeString | str:
        """Show the operation, with its log."""
        return operation_link(row.operation)

    @admin.display(description="parameters")
    def parameter_facts(self, row: Workflow) -> SafeString | str:
        """Show what was asked for."""
        return named_facts(secrets_of(row.pk).hide_parameters(row.parameters))

    @admin.display(description="outputs")
    def output_facts(self, row: Workflow) -> SafeString | str:
        """Show what came of it."""
        return named_facts(secrets_of(row.pk).hide(row.outputs))


def picture_of(workflow: Workflow) -> SafeString | str:
    """Draw the steps as they stand; nothing where that is not possible, the table below says the same."""
    if not workflow.definition:
        return ""
    rows = workflow.steps.exclude(operation=None).values_list("name", "operation")
    links = {name: reverse("admin:operations_operation_change", args=[pk]) for name, pk in rows[:SHOWN_STEPS]}
    try:
        return as_html(svg_of_workflow(workflow.operation, links))
    except DomainError:
        return ""


def step_cells(step: Step, errors: str) -> list[Any]:
    """Show one step."""
    back = format_html("{} {}", link(step.rollback_operation, "log"), badge(step.rollback)) if step.rollback else "-"
    took_ = duration((step.ended_at or timezone.now()) - step.started_at) if step.started_at else "-"
    says = errors or (as_sentence(message_of(step.operation)) if step.operation and step.operation.due_at else "")
    return [
        step_name(step.name),
        operation_link(step.operation) if step.operation else kind_title(Operation(kind=step.uses)),
        badge(step.status),
        took_,
        back,
        says or "-",
    ]
