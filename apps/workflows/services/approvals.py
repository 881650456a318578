"""Approvals: steps of a workflow that wait until a person approves or rejects them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations import transitions
from apps.operations.models import Operation
from apps.system.errors import Forbidden, Invalid
from apps.system.permissions import full_name
from apps.system.redaction import redact_text
from apps.workflows.definition import APPROVE, StepDefinition
from apps.workflows.definition_schema import APPROVE as SHAPE
from apps.workflows.errors import NothingToApprove, NotWaiting, OwnApproval, SeveralApprovals
from apps.workflows.models import Step
from apps.workflows.progress import Decision, progress_of
from apps.workflows.services.log_lines import append_line
from apps.workspaces.services import workspace_named

APPROVER = "workflow_cancel"  # who may stop a workflow may let it go on


def approval_input(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the input of an approval, whichever way it was written. Raises Invalid."""
    from apps.system.json_schema import Validator, best_match

    stated = {key: value for key, value in given.items() if value is not None}
    if isinstance(given.get("message"), str) and (fault := best_match(Validator(SHAPE).iter_errors(stated))):
        place = ".".join(map(str, ["approve", *fault.absolute_path]))
        raise Invalid("{place}: {what}", place=place, what=fault.message)
    values = {"permission": APPROVER, "timeout": None, "then": "reject", "by_submitter": False, **given}
    if not isinstance(values.get("message"), str) or not values["message"].strip():
        raise Invalid("An approval needs a message that says what is to be approved.")
    values["message"] = values["message"].strip()[:1000]
    try:
        full_name(values["permission"])
    except LookupError:
        raise Invalid("There is no permission {name}.", name=values["permission"]) from None
    return values


def describe_approval(*, message: str, timeout: float | None, then: str, **given: Any) -> str:
    """Say what an approval waits for, and what happens when nobody decides."""
    past = {"approve": "approved", "reject": "rejected"}
    end = f" ({past[then]} if nobody decides within {timeout:g} seconds)" if timeout else ""
    return f"Wait for an approval{end}: {message}"


def submit_approval(*, workspace: str, actor: User | None, parent: Operation | None = None, **given: Any) -> Operation:
    """Queue the wait for an approval."""
    place = workspace_named(workspace)
    return operations.submit(kind=APPROVE, workspace=place, actor=actor, params=given, parent=parent)


@transaction.atomic
def decide(*, workflow: Operation, actor: User, approve: bool, comment: str = "", step: str = "") -> Operation:
    """Approve or reject what a workflow waits for, and return the workflow's operation.

    Whoever submitted it may not approve, unless the definition says so, but may reject. Raises NothingToApprove,
    NotWaiting, SeveralApprovals, Forbidden, OwnApproval.
    """
    waiting = approvals_of(workflow)
    steps = list(waiting.filter(name=step) if step else waiting[:2])
    named = ", ".join(waiting.values_list("name", flat=True)[:20])
    if not named:
        raise NothingToApprove(workflow=workflow.pk)
    if not steps:
        raise NotWaiting(step=step, steps=named)
    if len(steps) > 1:
        raise SeveralApprovals(steps=named, field="step")
    operation = Operation.objects.unfinished().select_for_update().filter(pk=steps[0].operation_id).first()
    if operation is None or "decision" in progress_of(operation):
        raise NothingToApprove(workflow=workflow.pk)
    refuse_decision(operation, actor, approve)
    verb = "approved" if approve else "rejected"
    at = timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    decision = Decision(approved=approve, by=actor.get_username(), comment=redact_text(comment), at=at)
    Operation.objects.filter(pk=operation.pk).update(state={**progress_of(operation), "decision": decision})
    reason = f": {comment}" if comment else ""
    append_line(workflow.pk, f"Step {steps[0].name} {verb} by {actor.get_username()}{reason}.")
    transitions.wake(operation.pk)
    return workflow


def refuse_decision(operation: Operation, actor: User, approve: bool) -> None:
    """Refuse whoever may not decide. Raises Forbidden, OwnApproval."""
    refuse_decider(operation.params, operation.actor_id, actor, approve)


def refuse_skipping(step: StepDefinition, submitter: int | None, actor: User) -> None:
    """Refuse to leave an approval out for whoever may not approve. Raises Forbidden, OwnApproval."""
    if step.uses == APPROVE:
        refuse_decider({"permission": APPROVER, "by_submitter": False, **step.given}, submitter, actor, approve=True)


def refuse_decider(input: Mapping[str, Any], submitter: int | None, actor: User, approve: bool) -> None:
    """Refuse whoever may not decide on an approval with this input. Raises Forbidden, OwnApproval."""
    if not actor.has_perm(full_name(input["permission"])):
        raise Forbidden(permission=input["permission"])
    if approve and submitter == actor.pk and not input["by_submitter"]:
        raise OwnApproval


def approvals_of(workflow: Operation) -> Any:
    """Select the steps of a workflow that wait for an approval."""
    running = Step.objects.filter(workflow=workflow.pk, uses=APPROVE, status=Step.Status.RUNNING)
    return running.filter(operation__due_at__isnull=False).order_by("position", "index")
