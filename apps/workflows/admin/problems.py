"""What a workflow asks for, or why it failed, and what to do next, in words for the top of its page."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html

from apps.operations.admin import as_sentence, error_of, message_of
from apps.operations.models import Operation
from apps.system.admin import Problem, link
from apps.system.errors import DomainError
from apps.workflows.admin.titles import workflow_title
from apps.workflows.errors import OwnApproval
from apps.workflows.models import Workflow
from apps.workflows.services import approvals

AFTER_FAILURE = "Resume it once the cause is gone, or roll it back."
SHOWN_APPROVALS = 200


def problems_of(workflow: Workflow, user: Any) -> list[Problem]:
    """Return the approvals that it waits for, or its failure."""
    return [failure(workflow)] if workflow.operation.error else approval_problems(workflow, user)


def failure(workflow: Workflow) -> Problem:
    """Say why it failed, and once it has ended what to do, or what was done."""
    why = error_of(workflow.operation)
    if not workflow.operation.has_ended:
        return Problem("It failed", why)
    later = Workflow.objects.filter(resumes=workflow).select_related("operation__workspace").first()
    if later is None:
        return Problem("It failed", why, AFTER_FAILURE, permission="workflow_submit")
    said = format_html("It was resumed by {}: {}.", link(later, workflow_title(later)), later.operation.status)
    return Problem("It failed", why, said)


def approval_problems(workflow: Workflow, user: Any) -> list[Problem]:
    """Say which approvals a workflow waits for, whose, and why the user may not give one."""
    if workflow.operation.has_ended:
        return []
    asked = approvals.approvals_of(workflow.operation).select_related("operation")[:SHOWN_APPROVALS]
    return [approval_problem(step.operation, user) for step in asked]


def approval_problem(operation: Operation, user: Any) -> Problem:
    """Say what is to be approved; its message is such as `waiting for an approval by somebody: Reboot 2 servers?`."""
    who, _, what = message_of(operation).partition(": ")
    try:
        approvals.refuse_decision(operation, user, approve=True)
    except OwnApproval as refusal:
        return Problem(what or "An approval", as_sentence(who), refusal.text, level="warning")
    except DomainError:
        pass
    return Problem(what or "An approval", as_sentence(who), level="warning")
