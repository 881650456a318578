"""Resuming a workflow that did not complete: what has succeeded is kept, what has not is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.system.redaction import redact_text
from apps.workflows.definition import RUN, Definition, pinned
from apps.workflows.errors import (
    AlreadyResumed,
    CompletedStepChanged,
    ExpressionError,
    NotResumable,
    PartlyRolledBack,
    UnknownStep,
)
from apps.workflows.models import ROLLBACK, Step, Workflow
from apps.workflows.parameters import complete
from apps.workflows.permissions import check_permissions
from apps.workflows.planner import NEVER_BEGUN
from apps.workflows.services import step_states, step_transitions
from apps.workflows.services.approvals import refuse_skipping
from apps.workflows.services.definitions import finder
from apps.workflows.services.leftovers import changed, rollback_target
from apps.workflows.services.log_lines import append_line
from apps.workflows.step_graph import StepGraph
from apps.workspaces.models import Workspace

Status, Back = Step.Status, Step.Rollback
FACTS = [
    *("name", "position", "index", "uses", "status", "attempt", "input", "result", "error", "operation_id"),
    *("inverse", "lasting", "rollback", "rollback_operation_id", "started_at", "ended_at"),
]


@transaction.atomic
def resume_workflow(
    *,
    operation: Operation,
    actor: User,
    parameters: Mapping[str, Any] | None = None,
    skip: Collection[str] = (),
    reason: str = "",
) -> Operation:
    """Queue a workflow that goes on where another failed or was cancelled.

    It has the other's definition, parameters and results; `parameters` replaces some by name, for the steps that are
    still to be done, which after an approval only those do who could give it. Steps named in `skip` are not done.
    Raises NotResumable, AlreadyResumed, PartlyRolledBack, UnknownStep, CompletedStepChanged, Forbidden, OwnApproval,
    BadParameters, TargetBusy.
    """
    old = Workflow.objects.select_related("operation__workspace").select_for_update(of=("self",)).get(pk=operation.pk)
    refuse_resume(old)
    definition = pinned(orjson.dumps(old.definition))
    check_permissions(actor, definition, finder(old.operation.workspace))
    values = complete(old.type, definition.parameters, {**old.parameters, **(parameters or {})})
    steps = list(Step.objects.filter(workflow=old).order_by("position", "index"))
    check_skipped(skip, steps)
    changes = changed(old.parameters, values)
    for step in steps:
        if step.name in skip or (changes and step.status == Status.COMPLETED):  # else another thing was approved
            refuse_skipping(definition.step_named(step.name), old.operation.actor_id, actor)
    given = {"parameters": values, "existing": old.existing}
    kept = [copied(step, skip, actor, reason) for step in steps]
    refuse_other_items(definition, old, given, kept)
    place: Workspace | None = old.operation.workspace
    params = {"workflow_type": old.type, "parameters": values, "resumes": str(old.pk)}
    target = old.operation.target
    new = operations.submit(kind=RUN, workspace=place, actor=actor, target=target, params=params)
    workflow = Workflow.objects.create(
        operation=new,
        type=old.type,
        effect=old.effect,
        definition=old.definition,
        parameters=values,
        existing=old.existing,
        source=old.source,
        resumes=old,
        changed_parameters=changes or None,
    )
    Step.objects.bulk_create([Step(workflow=workflow, **facts) for facts in kept], batch_size=500)
    if workflow.changed_parameters:
        renew_inputs(workflow, definition, given)
    step_transitions.create_steps(workflow.pk, StepGraph(definition, given, step_states.states_of(workflow.pk)))
    log_resume(old, workflow, actor, reason)
    return new


def refuse_resume(old: Workflow) -> None:
    """Refuse what cannot be resumed. Raises NotResumable, AlreadyResumed, PartlyRolledBack."""
    operation = old.operation
    if operation.due_at is not None or operation.status == Operation.Status.COMPLETED:
        raise NotResumable(workflow=old.pk, status=operation.status)
    if Operation.objects.unfinished().filter(kind=ROLLBACK, target=rollback_target(operation)).exists():
        raise NotResumable(workflow=old.pk, status="being rolled back")
    later = Workflow.objects.filter(resumes=old).first()
    if later is not None:
        raise AlreadyResumed(workflow=old.pk, later=later.pk)
    if step := Step.objects.filter(workflow=old, rollback__in=[Back.FAILED, Back.RUNNING]).first():
        raise PartlyRolledBack(step=step.name, workflow=old.pk)


def check_skipped(skip: Collection[str], steps: list[Step]) -> None:
    """Refuse to skip what is no step, or is done. Raises UnknownStep."""
    open_steps = {step.name for step in steps if step.status != Status.COMPLETED or step.rollback == Back.COMPLETED}
    for name in skip:
        if name not in open_steps:
            raise UnknownStep(name=name, known=", ".join(sorted(open_steps)[:20]) or "none", field="skip")


def copied(step: Step, skip: Collection[str], actor: User, reason: str) -> dict[str, Any]:
    """Return the columns of a step in the workflow that goes on."""
    facts = {name: getattr(step, name) for name in FACTS}
    fresh = {name: facts[name] for name in ("name", "position", "index", "uses")}
    if step.name in skip:
        error = redact_text(f"skipped by {actor.get_username()}{': ' + reason if reason else ''}")
        left = {"inverse": step.inverse} if not step.rollback else {}
        return {**fresh, **left, "status": Status.SKIPPED, "error": error, "ended_at": step.ended_at}
    if step.rollback == Back.COMPLETED:
        return fresh
    if step.status == Status.COMPLETED or (step.status == Status.SKIPPED and step.error not in NEVER_BEGUN):
        return facts
    if step.status == Status.FAILED and step.inverse:  # what it left is taken away before it is done again
        return {**facts, "attempt": 0, "ended_at": None}
    return fresh


def refuse_other_items(
    definition: Definition, old: Workflow, given: Mapping[str, Any], kept: list[dict[str, Any]]
) -> None:
    """Refuse parameters by which a step that is done would not be a step any more. Raises CompletedStepChanged."""
    done = {facts["name"] for facts in kept if facts.get("status") == Status.COMPLETED}
    states = {name: state for name, state in step_states.states_of(old.pk).items() if name in done}
    before = StepGraph(definition, {"parameters": old.parameters, "existing": old.existing}, states)
    after = StepGraph(definition, given, states)
    items = {one.name: one.item for one in after.everything()}
    for one in before.everything():
        if one.name in done and (one.name not in items or items[one.name] != one.item):
            raise CompletedStepChanged(step=one.name, field="parameters")


def renew_inputs(workflow: Workflow, definition: Definition, given: Mapping[str, Any]) -> None:
    """Give the steps that are tried again the input that the changed parameters make."""
    graph = StepGraph(definition, given, step_states.states_of(workflow.pk))
    for one in graph.everything():
        if graph.state(one.name).status == Status.FAILED:
            try:
                input = graph.input(one)
            except ExpressionError:
                continue
            Step.objects.filter(workflow=workflow, name=one.name).update(input=input)


def log_resume(old: Workflow, new: Workflow, actor: User, reason: str) -> None:
    """Write to both logs who resumed, why, and with which changes."""
    by = f"by {actor.get_username()}{': ' + reason if reason else ''}"
    changes = f" Changed parameters: {', '.join(new.changed_parameters)}." if new.changed_parameters else ""
    append_line(old.pk, f"Resumed as workflow {new.pk} {by}")
    append_line(new.pk, f"Goes on with workflow {old.pk}, {by}.{changes}")
