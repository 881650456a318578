"""What can be done with workflows: approve, reject, resume and roll back, each through its service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link
from apps.operations.models import Operation
from apps.system.admin import Button
from apps.system.admin.refusals import refusal_text
from apps.system.errors import DomainError
from apps.workflows.admin.previews import preview_of_rollback
from apps.workflows.models import Workflow
from apps.workflows.services import approvals, resume, rollback

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class ActionsMixin(Base):
    """The actions of workflows."""

    def has_workflow_submit_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to submit."""
        return self.allows(request, "workflow_submit")

    @admin.action(description="Approve", permissions=["workflow_submit"])
    def approve_workflows(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Approve what they wait for."""
        self.decide(request, queryset, approve=True)

    @admin.action(description="Reject", permissions=["workflow_submit"])
    def reject_workflows(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Reject what they wait for."""
        self.decide(request, queryset, approve=False)

    def decide(self, request: HttpRequest, queryset: QuerySet, *, approve: bool) -> None:
        """Tell each decision to its workflow; who may decide, the service knows."""
        self.do_each(
            request,
            queryset,
            lambda row: approvals.decide(workflow=row.operation, actor=current_user(request), approve=approve),
            "Approved" if approve else "Rejected",
        )

    @admin.action(description="Resume", permissions=["workflow_submit"])
    def resume_workflows(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Go on where they failed."""
        self.do_each(
            request,
            queryset,
            lambda row: resume.resume_workflow(operation=row.operation, actor=current_user(request)),
            "Queued",
        )

    @admin.action(description="Roll back…", permissions=["workflow_cancel"])
    def roll_back_workflows(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Show what would be taken back, then take it back."""
        if "confirmed" in request.POST:
            self.do_each(request, queryset, partial(self.submit_rollback, request), "Queued")
            return None
        found = []
        for row in self.limited_selection(request, queryset):
            try:
                check = self.submit_rollback(request, row, check_mode=True)
            except DomainError as refusal:
                self.message_user(request, f"{self.page_title(row)}: {refusal_text(refusal)}", messages.ERROR)
            else:
                found.append((row, self.page_title(row), preview_of_rollback(check)))
        if not found:
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Roll back: {found[0][1]}" if len(found) == 1 else "Roll back workflows",
            "opts": self.opts,
            "media": self.media,
            "found": found,
            "page": request.POST.get("page", ""),
        }
        return TemplateResponse(request, "admin/workflows/rollback.html", context)

    def submit_rollback(self, request: HttpRequest, row: Workflow, *, check_mode: bool = False) -> Operation:
        """Roll one back, or only tell what that would do."""
        place = row.operation.workspace.name if row.operation.workspace else ""
        return rollback.roll_back_workflow(
            workspace=place, workflow_id=str(row.pk), actor=current_user(request), check_mode=check_mode
        )

    def do_each(self, request: HttpRequest, queryset: QuerySet, act: Callable[[Any], Operation], word: str) -> None:
        """Call a service for each row, and show the result of each."""

        def submit(row: Workflow) -> SafeString:
            return format_html("{}: {}", word, operation_link(act(row)))

        self.act_on_each(request, queryset, submit, note=f"{word}.")

    def decision_buttons(self, request: HttpRequest, row: Workflow) -> list[Button]:
        """Offer to decide what it waits for, to those whose decision would be taken."""
        step = approvals.approvals_of(row.operation).select_related("operation").first()
        if step is None:
            return []
        user: Any = request.user
        fails = "The step fails, and what the definition says about that happens."
        buttons = {True: Button("approve_workflows", "Approve", "The workflow goes on.", is_safe=True)}
        buttons[False] = Button("reject_workflows", "Reject", fails)
        return [
            button
            for approve, button in buttons.items()
            if is_possible(partial(approvals.refuse_decision, actor=user, approve=approve), step.operation)
        ]

    def after_buttons(self, row: Workflow) -> list[Button]:
        """Offer what can be done once it has ended: only what its service would not refuse."""
        found = []
        if is_possible(resume.refuse_resume, row):
            goes_on = "It goes on where it failed, with what is done kept."
            found.append(Button("resume_workflows", "Resume", goes_on, is_safe=True))
        if is_possible(rollback.refuse_rollback, row.operation):
            found.append(Button("roll_back_workflows", "Roll back…"))
        return found


def is_possible(refuse: Callable[[Any], None], subject: Any) -> bool:
    """Tell whether a service's own check refuses nothing."""
    try:
        refuse(subject)
    except DomainError:
        return False
    return True
