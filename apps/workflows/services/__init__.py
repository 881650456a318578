"""Submitting, finding and cancelling workflows; `stepping` holds what their steps go through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.system.errors import DomainError, NotFound
from apps.workflows.board import Board
from apps.workflows.definition import Definition
from apps.workflows.definitions import definition_named
from apps.workflows.errors import BadStepInput, CheckModeMissing, TargetExists, TargetMissing
from apps.workflows.expressions import evaluate
from apps.workflows.models import RUN, Step, Workflow
from apps.workflows.parameters import complete
from apps.workflows.planner import foreseen
from apps.workflows.services import stepping
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named


@transaction.atomic
def submit_workflow(
    *,
    workspace: str,
    actor: User | None,
    workflow_type: str,
    parameters: Mapping[str, Any],
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue a workflow, its definition and parameters pinned.

    Raises UnknownWorkspace, UnknownWorkflowType, BadParameters, TargetBusy, TargetExists, TargetMissing, BadStepInput.
    """
    if check_mode:
        raise CheckModeMissing(field="check_mode")
    place, definition = workspace_named(workspace), definition_named(workflow_type)
    values = complete(workflow_type, definition.parameters, parameters)
    target = target_of(definition, place, values)
    params = {"workflow_type": workflow_type, "parameters": values}
    operation = operations.submit(kind=RUN, workspace=place, actor=actor, target=target, params=params, parent=parent)
    existing = existing_at(target, definition.effect, place)  # the target being held, nobody else can change it
    given = {"parameters": values, "existing": existing}
    refuse_bad_steps(definition, given)
    workflow = Workflow.objects.create(
        operation=operation,
        type=workflow_type,
        effect=definition.effect,
        definition=definition.raw,
        parameters=values,
        existing=existing,
    )
    stepping.lay_out(workflow, Board(definition, given, {}))
    return operation


def target_of(definition: Definition, workspace: Workspace, parameters: Mapping[str, Any]) -> str:
    """Return the name of what the workflow changes: always something inside its workspace."""
    if not definition.target:
        return ""
    return f"workspace:{workspace.name}/{evaluate(definition.target, {'parameters': parameters})}"


def existing_at(target: str, effect: str, workspace: Workspace) -> dict[str, Any] | None:
    """Return what the workflow that created the target gave out. Raises TargetExists, TargetMissing."""
    lasting = Workflow.objects.filter(operation__target=target, operation__status=Operation.Status.COMPLETED)
    last = lasting.filter(effect__in=["create", "delete"]).order_by("-operation__ended_at").first()
    exists, name = last is not None and last.effect == "create", target.partition("/")[2]
    if effect == "create" and exists:
        raise TargetExists(target=name, workflow=last.pk)
    if effect in ("change", "delete") and not exists:
        raise TargetMissing(target=name, workspace=workspace.name, field="parameters")
    return last.outputs if effect and exists else None


def refuse_bad_steps(definition: Definition, given: Mapping[str, Any]) -> None:
    """Check the input of every step whose input is known already. Raises BadStepInput."""
    for one, input in foreseen(definition, given):
        try:
            stepping.checked(stepping.usable(one.step.uses), input)
        except DomainError as refusal:
            facts = {"step": one.name, "uses": one.step.uses, "what": refusal.text}
            raise BadStepInput(**facts, field="parameters") from refusal


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def workflows_for(user: User) -> QuerySet[Operation]:
    """Return the operations that are workflows and that the user may see."""
    return Operation.objects.visible_to(user).filter(kind=RUN)


def workflow_for(user: User, id: UUID) -> Operation:
    """Return a workflow's operation. Raises NotFound, also for an operation that is no workflow."""
    operation = workflows_for(user).filter(pk=id).first()
    if operation is None:
        raise NotFound(what="workflow", id=id)
    return operation


def steps_of(operation: Operation) -> QuerySet[Step]:
    """Return the steps of a workflow, in order."""
    return Step.objects.filter(workflow=operation.pk).order_by("position", "index")


# ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def cancel_workflow(*, operation: Operation) -> Operation:
    """Cancel a workflow and what it has started, and return it as it then truly is.

    What is at work in a worker is told to stop, and has `cancel_wait_seconds` for it. What has ended is then taken back
    by the worker. Raises AlreadyEnded.
    """
    give_up = time.monotonic() + settings.OPERATIONS["cancel_wait_seconds"]
    operation = operations.cancel(operation=operation)
    if operation.status != Operation.Status.CANCELLED:
        return operation
    for step in steps_of(operation).filter(status=Step.Status.RUNNING).select_related("operation"):
        stepping.stop(step)
    going = Operation.objects.filter(parent=operation, status__in=["pending", "running"], cancel_asked_at__isnull=False)
    while going.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    operation.refresh_from_db()
    return operation


def settle_workflow(operation: Operation) -> None:
    """Bring workflow and steps to what the operation came to, once nothing is left to do."""
    if operation.due_at is not None:
        return
    if operation.status == Operation.Status.COMPLETED:
        Workflow.objects.filter(pk=operation.pk).update(outputs=operation.result)
        return
    never = Step.Status.CANCELLED if operation.status == Operation.Status.CANCELLED else Step.Status.SKIPPED
    steps = Step.objects.filter(workflow=operation.pk)
    steps.filter(status=Step.Status.WAITING).update(status=never, ended_at=Now())
    unwatched = "The workflow ended before it; its own operation tells what became of it."
    steps.filter(status=Step.Status.RUNNING).update(status=Step.Status.FAILED, error=unwatched, ended_at=Now())
