"""What a person does to a single step: retry it, or skip it. The reason is logged."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.operations import transitions
from apps.operations.models import Operation
from apps.system.errors import NotFound
from apps.system.redaction import redact_text
from apps.workflows.errors import WrongStepStatus
from apps.workflows.models import Step
from apps.workflows.permissions import check_permissions
from apps.workflows.planner import BLOCKED
from apps.workflows.services.approvals import refuse_skipping
from apps.workflows.services.definitions import finder
from apps.workflows.services.log_lines import append_line
from apps.workflows.services.pinned_definition import definition_of
from apps.workflows.services.resume import resume_workflow

Status, Back = Step.Status, Step.Rollback


@transaction.atomic
def retry_step(*, workflow: Operation, step: str, actor: User, reason: str) -> Operation:
    """Do a failed step again; a workflow that has ended is resumed. Returns the workflow that does it.

    Whoever does that needs what submitting the workflow needs. Raises NotFound, WrongStepStatus, Forbidden, and what
    resuming raises.
    """
    row = step_named(workflow, step)
    check_permissions(actor, definition_of(workflow.pk), finder(workflow.workspace))
    if row.status not in (Status.FAILED, Status.CANCELLED):
        raise WrongStepStatus(step=step, verb="retried", status=row.status)
    if workflow.due_at is None:
        return resume_workflow(operation=workflow, actor=actor, reason=reason)
    refuse_while_ending(workflow, row, "retried")
    again = {"status": Status.FAILED, "attempt": 0, "ended_at": None}
    fresh = {"status": Status.WAITING, "attempt": 0, "ended_at": None, "error": None, "operation": None}
    rows = Step.objects.filter(pk=row.pk, status=row.status)
    if not rows.update(**(again if row.inverse and row.input is not None else fresh)):
        raise WrongStepStatus(step=step, verb="retried", status=row.status)
    unblock(workflow)
    return logged(workflow, f"Step {step} is retried by {actor.get_username()}: {reason}")


@transaction.atomic
def skip_step(*, workflow: Operation, step: str, actor: User, reason: str) -> Operation:
    """Leave a step out that has failed or has not begun; a workflow that has ended is resumed without it.

    Whoever does that needs what submitting the workflow needs, as the steps behind it begin.
    Raises NotFound, WrongStepStatus, Forbidden, OwnApproval, and what resuming raises.
    """
    row = step_named(workflow, step)
    definition = definition_of(workflow.pk)
    check_permissions(actor, definition, finder(workflow.workspace))
    refuse_skipping(definition.step_named(step), workflow.actor_id, actor)
    if workflow.due_at is None:
        return resume_workflow(operation=workflow, actor=actor, skip=[step], reason=reason)
    if row.status not in (Status.FAILED, Status.CANCELLED, Status.WAITING):
        raise WrongStepStatus(step=step, verb="skipped", status=row.status)
    refuse_while_ending(workflow, row, "skipped")
    error = redact_text(f"skipped by {actor.get_username()}: {reason}")
    rows = Step.objects.filter(pk=row.pk, status=row.status)
    if not rows.update(status=Status.SKIPPED, error=error, ended_at=Now()):
        raise WrongStepStatus(step=step, verb="skipped", status=row.status)
    unblock(workflow)
    return logged(workflow, f"Step {step} is {error}")


def step_named(workflow: Operation, name: str) -> Step:
    """Return a step of a workflow. Raises NotFound."""
    row = Step.objects.filter(workflow=workflow.pk, name=name).first()
    if row is None:
        raise NotFound(what="step", id=name[:60])
    return row


def refuse_while_ending(workflow: Operation, row: Step, verb: str) -> None:
    """Refuse while the workflow is cancelled or rolls back; it can be resumed when it has ended.

    Raises WrongStepStatus.
    """
    rolls_back = Step.objects.filter(workflow=workflow.pk).exclude(rollback=Back.NONE).exists()
    if workflow.has_ended or rolls_back:
        raise WrongStepStatus(
            step=row.name, verb=verb, status="part of a workflow that is being cancelled or rolled back"
        )


def unblock(workflow: Operation) -> None:
    """Let the steps wait again that were skipped for a failure: which still are, the next plan tells."""
    blocked = Step.objects.filter(workflow=workflow.pk, status=Status.SKIPPED, error=BLOCKED)
    blocked.update(status=Status.WAITING, error=None, ended_at=None)


def logged(workflow: Operation, text: str) -> Operation:
    """Write to the workflow's log, and let it go on."""
    append_line(workflow.pk, text.rstrip(".") + ".")
    transitions.wake(workflow.pk)
    return workflow
