"""Rolling back by hand a workflow that has ended: the operations that take back what it made, in reverse order."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.operations.registry import kinds
from apps.system.errors import Forbidden, Invalid, NotFound
from apps.system.permissions import full_name
from apps.workflows.definition import RUN
from apps.workflows.errors import AlreadyResumed, NothingToRollBack, WorkflowNotEnded
from apps.workflows.models import ROLLBACK, Step, Workflow
from apps.workflows.services.leftovers import inverse_kinds, rollback_preview, rollback_target, steps_with_leftovers
from apps.workspaces.services import workspace_named


@transaction.atomic
def roll_back_workflow(
    *,
    workspace: str,
    workflow_id: str,
    actor: User | None,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue the rollback of a workflow that has ended; in check mode only tell what that would do.

    It needs the permissions to delete what is deleted; a workflow takes back its own steps without. Raises
    NotFound, WorkflowNotEnded, AlreadyResumed, NothingToRollBack, Forbidden, TargetBusy.
    """
    operation = Operation.objects.select_related("workspace").filter(kind=RUN, check_mode=False, pk=workflow_id).first()
    if operation is None or operation.workspace != workspace_named(workspace):
        raise NotFound(what="workflow", id=workflow_id)
    Workflow.objects.select_for_update().filter(pk=operation.pk).first()  # a resumption waits for this, or this for it
    refuse_rollback(operation)
    if parent is None or not is_own(operation, parent):
        check_deletions(actor, operation)
    if check_mode:
        return record_check(operation, actor)
    steps = Step.objects.filter(workflow=operation.pk)
    steps.filter(rollback=Step.Rollback.FAILED, inverse__isnull=False).update(
        rollback=Step.Rollback.NONE, rollback_error="", rollback_operation=None
    )
    return operations.submit(
        kind=ROLLBACK,
        workspace=operation.workspace,
        actor=actor,
        target=rollback_target(operation),
        params={"workflow": str(operation.pk)},
        parent=parent,
    )


def refuse_rollback(operation: Operation) -> None:
    """Refuse a rollback of what is under way, has been resumed, or has left nothing, and while its target is held."""
    if operation.due_at is not None:
        raise WorkflowNotEnded(workflow=operation.pk)
    later = Workflow.objects.filter(resumes=operation.pk).first()
    if later is not None:
        raise AlreadyResumed(workflow=operation.pk, later=later.pk)
    if not steps_with_leftovers(operation.pk).filter(inverse__isnull=False).exists():
        raise NothingToRollBack(workflow=operation.pk)
    operations.refuse_if_busy(rollback_target(operation))


def check_deletions(actor: User | None, operation: Operation) -> None:
    """Refuse an actor who may not delete what the rollback deletes. Raises Forbidden."""
    for name in sorted(inverse_kinds(operation.pk)):
        kind = kinds().get(name)
        if kind and kind.destroys and actor is not None and not actor.has_perm(full_name(kind.permission)):
            raise Forbidden(permission=kind.permission)


def is_own(operation: Operation, parent: Operation) -> bool:
    """Tell whether a workflow was a step of the one that `parent` runs or rolls back, not one that its input names."""
    outer = parent.params["workflow"] if parent.kind == ROLLBACK else parent.pk
    mine = [ROLLBACK, {"workflow_id": str(operation.pk)}]
    return any(list(step.inverse or ()) == mine for step in Step.objects.filter(workflow=outer, inverse__isnull=False))


def record_check(operation: Operation, actor: User | None) -> Operation:
    """Store what a rollback would do as a completed operation in check mode."""
    now = timezone.now()
    return Operation.objects.create(
        kind=ROLLBACK,
        workspace=operation.workspace,
        actor=actor,
        check_mode=True,
        params={"workflow": str(operation.pk)},
        status=Operation.Status.COMPLETED,
        result=rollback_preview(operation),
        due_at=None,
        started_at=now,
        ended_at=now,
    )


def apply_rollback_outcome(operation: Operation, outcome: Outcome) -> None:
    """Note at the workflow that its work was taken back."""
    if outcome is Outcome.COMPLETED and not operation.check_mode:
        Workflow.objects.filter(pk=operation.params["workflow"]).update(rolled_back_at=Now())


def rollback_input(given: dict[str, Any]) -> dict[str, Any]:
    """Check the input of a rollback as a step. Raises Invalid."""
    if set(given) != {"workflow_id"} or not isinstance(given["workflow_id"], str):
        raise Invalid("A rollback needs a workflow_id, and nothing else.")
    return given
