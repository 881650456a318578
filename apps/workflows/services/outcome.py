"""What the outcome of a workflow's operation means for the workflow and its steps."""

from __future__ import annotations

from django.db.models.functions import Now

from apps.operations import transitions
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.workflows.models import Step, Workflow
from apps.workflows.services.leftovers import record_leftovers


def apply_workflow_outcome(operation: Operation, outcome: Outcome) -> None:
    """Store the outcome on the workflow and on the steps that have not ended; while it is undone, change nothing."""
    if outcome is Outcome.UNDOING:
        return
    for fire in Operation.objects.unfinished().filter(schedules__last_workflow=operation.pk, status="running"):
        transitions.wake(fire.pk)  # it waits for this workflow to end
    if outcome is Outcome.COMPLETED:
        Workflow.objects.filter(pk=operation.pk, outputs=None).update(outputs=operation.result)
        return
    never = Step.Status.SKIPPED if outcome is Outcome.FAILED else Step.Status.CANCELLED
    steps = Step.objects.filter(workflow=operation.pk)
    steps.filter(status=Step.Status.WAITING).update(status=never, ended_at=Now())
    unwatched = "The workflow ended before it; its own operation tells what became of it."
    steps.filter(status=Step.Status.RUNNING).update(status=Step.Status.FAILED, error=unwatched, ended_at=Now())
    record_leftovers(operation)
