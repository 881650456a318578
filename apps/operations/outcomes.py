"""Outcomes of operations: what each means."""

from __future__ import annotations

from enum import Enum, auto

from apps.operations.models import Operation


class Outcome(Enum):
    """What an operation has come to, for the resource that it changes.

    COMPLETED and FAILED say what they say. A cancelled operation is UNDOING while a worker takes back what it made,
    then CANCELLED_CLEAN when nothing is left of it, or CANCELLED_LEFTOVER when a person must deal with the rest. One
    that had nothing to undo is CANCELLED_CLEAN at once.
    """

    COMPLETED = auto()
    FAILED = auto()
    UNDOING = auto()
    CANCELLED_CLEAN = auto()
    CANCELLED_LEFTOVER = auto()


def outcome_of(operation: Operation) -> Outcome:
    """Return the outcome of an operation that has ended, the only place that reads it from the row.

    Raises ValueError for a pending or running one.
    """
    match operation.status:
        case Operation.Status.COMPLETED:
            return Outcome.COMPLETED
        case Operation.Status.FAILED:
            return Outcome.FAILED
        case Operation.Status.CANCELLED if operation.is_undoing:
            return Outcome.UNDOING
        case Operation.Status.CANCELLED:
            return Outcome.CANCELLED_LEFTOVER if operation.error else Outcome.CANCELLED_CLEAN
    raise ValueError(f"operation {operation.pk} is {operation.status} and has no outcome yet")
