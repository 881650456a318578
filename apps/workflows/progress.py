"""What the steps of workflows, and of the operations that only workflows have, store in `Operation.state`."""

from __future__ import annotations

from typing import TypedDict

from apps.operations.models import Operation


class Decision(TypedDict):
    """What was decided about an approval: by whom (a username), the comment, and when (as the API shows times)."""

    approved: bool
    by: str | None
    comment: str
    at: str


class Progress(TypedDict, total=False):
    """The state of an operation.

    `begun`: of a workflow, no freeze window holds it any more; `decision`: of an approval; `workflow`: of the firing of
    a schedule, the id of the workflow that it has submitted.
    """

    begun: bool
    decision: Decision
    workflow: str


def progress_of(operation: Operation) -> Progress:
    """Return the operation's state, which is JSON."""
    progress: Progress = operation.state
    return progress
