"""What a workflow's steps go through: each change one conditional UPDATE, together with the operation it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.operations import transitions
from apps.operations.models import Operation
from apps.operations.registry import Kind, kinds
from apps.system.errors import DomainError, Invalid
from apps.system.redaction import redact_text
from apps.workflows.board import Board, StepState
from apps.workflows.definition import Definition
from apps.workflows.models import Step, Workflow
from apps.workflows.planner import Refuse, Retry, Rollback, Skip, Submit

Status, Back = Step.Status, Step.Rollback
Log = Callable[[str], None]
GONE = "NOT_FOUND"
FRESH = {
    "started_at": Now(),
    "ended_at": None,
    "error": None,
    "stopping": False,
    "inverse": None,
    "rollback": Back.NONE,
    "rollback_operation": None,
    "rollback_error": "",
}

# How the doors of other apps refuse an input, where that is no DomainError: the app's start fills it in.
refusals: dict[type[Exception], Callable[[Any], DomainError]] = {}


def usable(name: str) -> Kind:
    """Return a kind that can be part of a workflow. Raises Invalid."""
    kind = kinds().get(name)
    if kind is None or kind.submit is None:
        raise Invalid("No operation of kind {name} can be part of a workflow.", name=name)
    return kind


def checked(kind: Kind, input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation's input, complete. Raises DomainError when the kind refuses it."""
    try:
        return kind.input(dict(input)) if kind.input else dict(input)
    except tuple(refusals) as refusal:
        translate = next(to for known, to in refusals.items() if isinstance(refusal, known))
        raise translate(refusal) from refusal


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
STATE = [
    *("name", "status", "attempt", "input", "result", "error", "started_at", "ended_at", "stopping", "inverse"),
    *("lasting", "rollback", "rollback_error", "operation_id", "rollback_operation_id"),
]


def states_of(workflow: Workflow) -> dict[str, StepState]:
    """Return the states of all steps by name."""
    rows = Step.objects.filter(workflow=workflow).order_by().values(*STATE)
    return {row["name"]: state_of(row) for row in rows}


def state_of(row: dict[str, Any]) -> StepState:
    """Return the state in a row."""
    operation, rolling = row.pop("operation_id"), row.pop("rollback_operation_id")
    inverse = row.pop("inverse")
    current = rolling if row["rollback"] == Back.RUNNING else operation
    return StepState(**row, operation=str(current or ""), inverse=tuple(inverse) if inverse else None)


def lay_out(workflow: Workflow, board: Board) -> None:
    """Write the rows of the steps that have come to be known."""
    steps = [
        Step(workflow=workflow, name=one.name, position=position, index=one.index or 0, uses=step.uses)
        for position, step in enumerate(board.definition.steps)
        for one in board.instances(step)
        if one.name not in board.states
    ]
    Step.objects.bulk_create(steps, batch_size=500, ignore_conflicts=True)


# ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def start(parent: Operation, action: Submit, tolerate: tuple[str, ...], log: Log) -> None:
    """Start a step: its operation is submitted and noted in one transaction, or not at all."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step)
    rows = rows.filter(status=Status.FAILED if isinstance(action, Retry) else Status.WAITING)
    try:
        with transaction.atomic():
            if rows.update(status=Status.RUNNING, operation=None, attempt=F("attempt") + 1, **FRESH):
                operation, given = submit(parent, action.uses, action.input)
                Step.objects.filter(workflow=parent.pk, name=action.step).update(operation=operation, input=given)
                log(f"Step {action.step} started: {action.uses}, operation {operation.pk}.")
    except DomainError as refusal:
        status = Status.SKIPPED if refusal.code in tolerate else Status.FAILED
        text = redact_text(refusal.text)
        end_unstarted(rows, log, action.step, status, text, attempt=F("attempt") + 1, input=dict(action.input))


def submit(parent: Operation, uses: str, input: Mapping[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """Submit an operation as a part of the workflow; return it with its complete input. Raises DomainError."""
    kind = usable(uses)
    given = checked(kind, input)
    return kind.submit(workspace=parent.workspace.name, actor=parent.actor, parent=parent, **given), given


def skip(parent: Operation, action: Skip, log: Log) -> None:
    """End a waiting step that is not to be."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, status=Status.WAITING)
    end_unstarted(rows, log, action.step, Status.SKIPPED, action.reason)


def refuse(parent: Operation, action: Refuse, log: Log) -> None:
    """Fail a waiting step that cannot even be started."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, status=Status.WAITING)
    end_unstarted(rows, log, action.step, Status.FAILED, redact_text(action.error))


@transaction.atomic
def end_unstarted(rows: Any, log: Log, name: str, status: str, text: str, **changes: Any) -> None:
    """End a step that has no operation under way."""
    if rows.update(status=status, error=text, ended_at=Now(), **changes):
        log(f"Step {name} {status}: {text.rstrip('.')}.")


# ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def see_ends(workflow: Workflow, definition: Definition, log: Log) -> None:
    """Note what has become of the operations that were under way, their own undoing included."""
    for step in workflow.steps.ended_unseen().select_related("operation"):
        note_end(step, definition.steps[step.position].tolerate, log)
    for step in workflow.steps.rolled_unseen().select_related("rollback_operation"):
        note_rollback(step, log)


@transaction.atomic
def note_end(step: Step, tolerate: tuple[str, ...], log: Log) -> None:
    """Note what a step's operation came to."""
    operation = step.operation
    gone = {"status": Status.FAILED, "error": "Its operation is no longer there."}
    changes = outcome_of(step, operation, tolerate) if operation else gone
    running = Step.objects.filter(pk=step.pk, status=Status.RUNNING, operation=operation)
    if running.update(ended_at=operation.ended_at if operation else Now(), **changes):
        error = changes.get("error")
        log(f"Step {step.name} {changes['status']}{': ' + error.rstrip('.') if error else ''}.")


def outcome_of(step: Step, operation: Operation, tolerate: tuple[str, ...]) -> dict[str, Any]:
    """Return what an ended operation means for its step."""
    kind = kinds().get(step.uses)
    if operation.status == Operation.Status.COMPLETED:
        facts = {"status": Status.COMPLETED, "result": operation.result, "error": None}
        if kind is None or kind.inverse is None:
            return {**facts, "lasting": True}
        return {**facts, "inverse": kind.inverse(operation.result, step.input)}
    if operation.status == Operation.Status.FAILED:
        if operation.error_code in tolerate:
            return {"status": Status.SKIPPED, "error": operation.error}
        back = kind.leftover(operation) if kind and kind.leftover else None
        return {"status": Status.FAILED, "error": operation.error, "inverse": back}
    timed_out = step.error
    changes = {"status": Status.FAILED if timed_out else Status.CANCELLED}
    changes["error"] = timed_out or operation.error or "It was cancelled."
    return changes | ({"rollback": Back.FAILED, "rollback_error": operation.error} if operation.error else {})


def stop(step: Step, error: str = "") -> None:
    """Ask a running step's operation to stop; cancelled first and noted after, so that a crash repeats it."""
    operation = step.operation
    if not transitions.cancel_idle(operation) and transitions.ask_to_stop(operation):
        transitions.cancel_idle(operation)  # it may have come to rest between the two
    Step.objects.filter(pk=step.pk, status=Status.RUNNING, operation=operation).update(
        stopping=True, error=error or F("error")
    )


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────────────
def roll_back(parent: Operation, action: Rollback, log: Log) -> None:
    """Start the operation that takes back what a step made."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, rollback=Back.NONE)
    try:
        with transaction.atomic():
            if rows.update(rollback=Back.RUNNING):
                operation, _ = submit(parent, action.kind, action.input)
                Step.objects.filter(workflow=parent.pk, name=action.step).update(rollback_operation=operation)
                log(f"Rolling back step {action.step}: {action.kind}, operation {operation.pk}.")
    except DomainError as refusal:
        gone = refusal.code == GONE
        end_rollback(rows, log, action.step, Back.COMPLETED if gone else Back.FAILED, "" if gone else refusal.text)


@transaction.atomic
def note_rollback(step: Step, log: Log) -> None:
    """Note what a step's rollback came to."""
    operation = step.rollback_operation
    text = why_not_gone(operation) if operation else "The operation of its rollback is no longer there."
    rows = Step.objects.filter(pk=step.pk, rollback=Back.RUNNING, rollback_operation=operation)
    end_rollback(rows, log, step.name, Back.FAILED if text else Back.COMPLETED, text)


def why_not_gone(operation: Operation) -> str:
    """Say why an ended rollback has left something; empty when nothing is left."""
    if operation.status == Operation.Status.COMPLETED or operation.error_code == GONE:
        return ""
    return operation.error or f"Its rollback was {operation.status}."


@transaction.atomic
def end_rollback(rows: Any, log: Log, name: str, state: str, text: str) -> None:
    """Note how far taking back a step has come."""
    if rows.update(rollback=state, rollback_error=redact_text(text)):
        log(f"Step {name} is rolled back." if state == Back.COMPLETED else f"Step {name} is left: {text}")
