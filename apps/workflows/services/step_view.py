"""What people and programs see of a workflow's steps: state, input, result, attempts, and why they wait."""

from __future__ import annotations

from typing import Any

import orjson

from apps.operations.models import Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.system.redaction import redact
from apps.workflows.definition import Definition, StepDefinition, pinned
from apps.workflows.models import Step, Workflow
from apps.workflows.services.pinned_definition import hidden_in_step, secrets_of

MAX_NAMED = 5


def shown_steps(operation: Operation) -> list[Step]:
    """Return the steps of a workflow in order, each with `waiting`, secrets hidden."""
    workflow = Workflow.objects.get(pk=operation.pk)
    definition = pinned(orjson.dumps(workflow.definition))
    rows = Step.objects.filter(workflow=operation.pk).select_related("operation").order_by("position", "index")
    steps = list(rows)
    open_steps = {step.position for step in steps if step.status in (Step.Status.WAITING, Step.Status.RUNNING)}
    names = {step.name: place for place, step in enumerate(definition.steps)}
    for step in steps:
        hidden = hidden_in_step(step)
        shown = (redact(hidden.hide(each)) for each in (step.input, step.result, step.error, step.rollback_error))
        step.input, step.result, step.error, step.rollback_error = shown
        pending = [name for name in definition.steps[step.position].needs if names[name] in open_steps]
        step.waiting = step_wait_reason(step, pending, definition, operation)
    return steps


def details_of(operation: Operation) -> dict[str, Any]:
    """Return all that is known of a workflow, secrets hidden."""
    workflow = Workflow.objects.select_related("operation__actor", "resumed_by").get(pk=operation.pk)
    later = getattr(workflow, "resumed_by", None)
    actor = workflow.operation.actor
    reason = wait_reason(operation)
    secrets = secrets_of(workflow.pk)
    return {
        "id": str(operation.pk),
        "workflow_type": workflow.type,
        "status": operation.status,
        "workspace": str(operation.workspace),
        "submitted_by": actor.get_username() if actor else None,
        "origin": workflow.source,
        "parameters": secrets.hide_parameters(workflow.parameters),
        "changed_parameters": secrets.hide_parameters(workflow.changed_parameters),
        "resumes": workflow.resumes_id and str(workflow.resumes_id),
        "resumed_by": str(later.pk) if later else None,
        "rolled_back_at": workflow.rolled_back_at,
        "schedule": workflow.schedule_id,
        "result": secrets.hide(operation.result),
        "error": secrets.hide(operation.error),
        "waiting": secrets.hide(reason.message) if reason else None,
    }


def step_wait_reason(step: Step, pending: list[str], definition: Definition, workflow: Operation) -> str | None:
    """Say what a step waits for; None when it does not wait."""
    if step.status == Step.Status.RUNNING:
        return running(step)
    if step.rollback == Step.Rollback.RUNNING:
        return "it is being rolled back"
    if step.status != Step.Status.WAITING:
        return None
    if pending:
        more = f" and {len(pending) - MAX_NAMED} more" if len(pending) > MAX_NAMED else ""
        return f"step {', '.join(pending[:MAX_NAMED])}{more} has not ended"
    return (
        limited(definition.steps[step.position], definition) or workflow.status_message or "the workflow has not begun"
    )


def running(step: Step) -> str | None:
    """Say what the operation of a step waits for."""
    if step.operation is None:
        return None
    if step.operation.status == Operation.Status.PENDING:
        return "its operation has not begun"
    return step.operation.status_message or None


def limited(step: StepDefinition, definition: Definition) -> str:
    """Say that no more operations may run at once."""
    if step.max_parallel is not None:
        return f"at most {step.max_parallel} operations of this step run at once"
    if definition.max_parallel is not None:
        return f"at most {definition.max_parallel} operations of this workflow run at once"
    return ""
