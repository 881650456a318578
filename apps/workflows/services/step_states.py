"""States of workflow steps, read from their rows."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.workflows.models import Step
from apps.workflows.step_graph import StepState

Status, Back = Step.Status, Step.Rollback
MAX_NAMED = 500  # rows that one query names
COLUMNS = [
    *("name", "status", "attempt", "input", "result", "error", "ended_at", "stopping", "inverse"),
    *("lasting", "rollback", "rollback_error", "operation_id", "rollback_operation_id"),
    *("operation__deadline_at", "operation__time_limit"),
]


def states_of(workflow: UUID) -> dict[str, StepState]:
    """Return the states of all steps that have begun or ended, by name; those left out wait.

    A completed step changes no more until it is rolled back: each process reads it once.
    """
    rows = Step.objects.filter(workflow=workflow).order_by()
    is_done = Q(status=Status.COMPLETED, rollback=Back.NONE)
    found = [state_of(row) for row in rows.exclude(status=Status.WAITING).exclude(is_done).values(*COLUMNS)]
    done = set(rows.filter(is_done).values_list("pk", flat=True))
    known = completed_steps(workflow)
    if missing := done - known.keys():
        wanted = rows.filter(is_done, pk__in=missing) if len(missing) <= MAX_NAMED else rows.filter(is_done)
        known.update({row.pop("pk"): state_of(row) for row in wanted.values("pk", *COLUMNS)})
    return {state.name: state for state in chain((known[pk] for pk in done if pk in known), found)}


@lru_cache(maxsize=8)
def completed_steps(workflow: UUID) -> dict[int, StepState]:
    """Return what this process has read of the completed steps of a workflow, by primary key."""
    return {}


def state_of(row: dict[str, Any]) -> StepState:
    """Return the state in a row."""
    operation, rolling = row.pop("operation_id"), row.pop("rollback_operation_id")
    # An operation's deadline is set when its work begins, moves while nobody takes it, and is unset while it is queued.
    deadline, limit = row.pop("operation__deadline_at"), row.pop("operation__time_limit")
    begun_at = deadline and deadline - timedelta(seconds=limit)
    inverse = tuple(given) if (given := row.pop("inverse")) else None
    current = rolling if row["rollback"] == Back.RUNNING else operation
    return StepState(**row, begun_at=begun_at, operation=str(current or ""), inverse=inverse)


def remember(step: Step) -> None:
    """Keep the state of a step that has just been noted as completed, as `states_of` would read it."""
    if step.operation is None or step.status != Status.COMPLETED:
        return
    row = {name: getattr(step, name) for name in COLUMNS if "__" not in name}
    row |= {"ended_at": step.operation.ended_at, "operation__deadline_at": None, "operation__time_limit": 0}
    completed_steps(step.workflow_id)[step.pk] = state_of(row)
