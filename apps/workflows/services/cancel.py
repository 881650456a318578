"""Cancel a workflow and the operations of its steps."""

from __future__ import annotations

import time

from apps.operations import cancellation
from apps.operations.models import Operation
from apps.workflows.models import Step
from apps.workflows.services import step_transitions
from apps.workflows.services.lookup import steps_of


def cancel_workflow(*, operation: Operation, give_up: float | None = None, requested: bool = False) -> Operation:
    """Cancel a workflow and the operations it started, and return its state after that.

    Steps that a worker runs are asked to stop, and have until `give_up`, as in `cancellation.cancel`. What has ended
    is then rolled back by the worker. Raises AlreadyEnded.
    """
    give_up = cancellation.cancel_deadline() if give_up is None else give_up
    operation = cancellation.cancel(operation=operation, give_up=give_up, requested=requested)
    if operation.status != Operation.Status.CANCELLED:
        return operation
    for step in steps_of(operation).filter(status=Step.Status.RUNNING).select_related("operation"):
        step_transitions.stop(step)
    children = Operation.objects.filter(parent=operation, status__in=["pending", "running"])
    stopping = children.exclude(cancel_requested_at=None)
    while stopping.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    operation.refresh_from_db()
    return operation
