"""State transitions of workflow steps: each is one conditional UPDATE, in one transaction with its operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.operations import cancellation
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.registry import OperationKind, kinds
from apps.system.errors import DomainError, Invalid
from apps.system.redaction import redact_text
from apps.workflows.actions import Refuse, Retry, Rollback, Skip, Submit
from apps.workflows.definition import APPROVE, RUN, Definition
from apps.workflows.definition_references import checked_input
from apps.workflows.models import ROLLBACK, Step, Workflow
from apps.workflows.services import step_batches, step_states
from apps.workflows.services.pinned_definition import hidden_in_step, secret_input, secrets_of
from apps.workflows.step_graph import StepGraph

Status, Back = Step.Status, Step.Rollback
Log = Callable[[str], None]
Tolerated = Callable[[str], tuple[str, ...]]  # the codes of errors that a step's definition tolerates, by its name
GONE = "NOT_FOUND"
FINISHED = [  # the columns that `record_finished` needs
    *("workflow_id", "position", "uses", *(name for name in step_states.COLUMNS if "__" not in name)),
    *(f"operation__{name}" for name in ("kind", "status", "result", "state", "error", "error_code", "ended_at")),
    *(f"rollback_operation__{name}" for name in ("status", "error", "error_code")),
]


def usable(name: str) -> OperationKind:
    """Return a kind that can be part of a workflow. Raises Invalid."""
    kind = kinds().get(name)
    if kind is None or kind.submit is None:
        raise Invalid("No operation of kind {name} can be part of a workflow.", name=name)
    return kind


def checked(kind: OperationKind, input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation's input, complete. Raises DomainError when the kind refuses it."""
    return checked_input(kind.validate_input, input)


class StartedAlready(Exception):
    """Another worker has started a step; what was submitted is taken back with the transaction."""


def create_steps(workflow: UUID, graph: StepGraph) -> None:
    """Write the rows of the steps that have come to be known."""
    there = set(Step.objects.filter(workflow=workflow).values_list("name", flat=True))
    steps = [
        Step(workflow_id=workflow, name=one.name, position=position, index=one.index or 0, uses=step.uses)
        for position, step in enumerate(graph.definition.steps)
        for one in graph.instances(step)
        if one.name not in there
    ]
    Step.objects.bulk_create(steps, batch_size=500, ignore_conflicts=True)


# ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def start(parent: Operation, actions: Sequence[Submit], tolerated: Tolerated, log: Log) -> list[str]:
    """Start steps: their operations are submitted and noted in one transaction; where one cannot be, each in its own.

    Returns the ids of their operations; empty for a step that was refused, or has been started already.
    """
    if not actions:
        return []
    try:
        with transaction.atomic():
            return submit_all(parent, actions, log)
    except (StartedAlready, DomainError) as refusal:
        if len(actions) > 1:
            return [id for action in actions for id in start(parent, [action], tolerated, log)]
        if isinstance(refusal, DomainError):
            end_refused(parent, actions[0], refusal, tolerated(actions[0].step), log)
        return [""]


def submit_all(parent: Operation, actions: Sequence[Submit], log: Log) -> list[str]:
    """Submit the operations of steps and note them. Raises DomainError, StartedAlready."""
    with operations.insert_together():
        begun = [(action.step, *submit(parent, action.uses, action.input)) for action in actions]
    for status, some in groupby(zip(actions, begun, strict=True), key=lambda pair: startable(pair[0])):
        if not step_batches.start_steps(parent.pk, [one for _, one in some], status):
            raise StartedAlready
    for action in actions:
        log(f"Step {action.step} started: {kinds()[action.uses].title}.")
    return [str(operation.pk) for _, operation, _ in begun]


def startable(action: Submit) -> str:
    """Return the status from which the action starts a step."""
    return Status.FAILED if isinstance(action, Retry) else Status.WAITING


def end_refused(parent: Operation, action: Submit, refusal: DomainError, tolerate: tuple[str, ...], log: Log) -> None:
    """End a step whose operation was refused."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, status=startable(action))
    status = Status.SKIPPED if refusal.code in tolerate else Status.FAILED
    hidden = secrets_of(parent.pk).values.and_also(secret_input(action.uses, action.input))
    text = redact_text(hidden.hide_text(refusal.text))
    end_unstarted(rows, log, action.step, status, text, attempt=F("attempt") + 1, input=dict(action.input))


def submit(parent: Operation, uses: str, input: Mapping[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """Submit an operation as a part of the workflow; return it with its complete input. Raises DomainError."""
    kind = usable(uses)
    if uses == APPROVE:  # its message is hidden before it is cut
        input = {**input, "message": secrets_of(parent.pk).hide(input.get("message"))}
    given = checked(kind, input)
    if kind.submit is None or parent.workspace is None:
        raise TypeError(f"{uses} cannot be submitted by operation {parent.pk}.")
    return kind.submit(workspace=parent.workspace.name, actor=parent.actor, parent=parent, **given), given


def skip(parent: Operation, action: Skip, log: Log) -> None:
    """End a waiting step that is not to be."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, status=Status.WAITING)
    end_unstarted(rows, log, action.step, Status.SKIPPED, action.reason)


def refuse(parent: Operation, action: Refuse, log: Log) -> None:
    """Fail a waiting step that cannot even be started."""
    rows = Step.objects.filter(workflow=parent.pk, name=action.step, status=Status.WAITING)
    end_unstarted(rows, log, action.step, Status.FAILED, secrets_of(parent.pk).hide(action.error))


@transaction.atomic
def end_unstarted(rows: Any, log: Log, name: str, status: str, text: str, **changes: Any) -> None:
    """End a step that has no operation under way."""
    if rows.update(status=status, error=text, ended_at=Now(), **changes):
        log(f"Step {name} {status}: {text.rstrip('.')}.")


# ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def record_finished(workflow: UUID, definition: Definition, log: Log) -> None:
    """Note what has become of the operations that were under way, their own undoing included.

    Only in a transaction in which the log is written too.
    """
    seen = Step.objects.filter(workflow=workflow).ended_unseen().select_related("operation", "rollback_operation")
    seen = seen.only(*FINISHED)
    note_ends([step for step in seen if step.status == Status.RUNNING and step.operation], definition, log)
    for step in seen:
        if step.rollback == Back.RUNNING:  # nothing is taken back of a step that runs
            note_rollback(step, log)
        elif step.operation is None:
            note_loss(step, log)


def note_ends(steps: Sequence[Step], definition: Definition, log: Log) -> None:
    """Note what the operations of steps came to."""
    for step in steps:
        for name, value in outcome_of(step, definition.steps[step.position].tolerate).items():
            setattr(step, name, value)
        if step.error:
            step.error = redact_text(hidden_in_step(step).hide_text(step.error))
    noted = step_batches.end_steps(steps)
    for step in steps:
        if step.pk in noted:
            step_states.remember(step)
            log(f"Step {step.name} {step.status}{': ' + step.error.rstrip('.') if step.error else ''}.")


def note_loss(step: Step, log: Log) -> None:
    """Fail a step whose operation is no longer there."""
    running = Step.objects.filter(pk=step.pk, status=Status.RUNNING, operation=None)
    text = "Its operation is no longer there."
    if running.update(status=Status.FAILED, error=text, ended_at=Now()):
        log(f"Step {step.name} {Status.FAILED}: {text}")


def outcome_of(step: Step, tolerate: tuple[str, ...]) -> dict[str, Any]:
    """Return what its ended operation means for a step."""
    operation, kind = step.operation, kinds().get(step.uses)
    if operation is None:
        raise TypeError(f"Step {step.name} has no operation.")
    if operation.status == Operation.Status.COMPLETED:
        facts = {"status": Status.COMPLETED, "result": operation.whole_result, "error": None}
        if operation.kind == RUN:
            outputs = Workflow.objects.values_list("outputs", flat=True).get(pk=operation.pk)
            return {**facts, "result": outputs, "inverse": rollback_of(operation)}
        if kind is None or kind.compensation is None:
            return {**facts, "lasting": True}
        return {**facts, "inverse": kind.compensation(operation.whole_result or {}, step.input or {})}
    if operation.status == Operation.Status.FAILED:
        if operation.error_code in tolerate:
            return {"status": Status.SKIPPED, "error": operation.error}
        back = kind.cleanup(operation) if kind and kind.cleanup else None
        back = rollback_of(operation) if operation.kind == RUN else back
        return {"status": Status.FAILED, "error": operation.error, "inverse": back}
    timed_out = step.error
    changes: dict[str, Any] = {
        "status": Status.FAILED if timed_out else Status.CANCELLED,
        "error": timed_out or operation.error or "It was cancelled.",
    }
    return changes | ({"rollback": Back.FAILED, "rollback_error": operation.error} if operation.error else {})


def rollback_of(workflow: Operation) -> tuple[str, dict[str, Any]] | None:
    """Return the operation that takes back what a workflow inside a workflow has made; None where nothing can be."""
    made = Step.objects.filter(workflow=workflow.pk, inverse__isnull=False).exclude(rollback=Back.COMPLETED)
    return (ROLLBACK, {"workflow_id": str(workflow.pk)}) if made.exists() else None


def stop(step: Step, error: str = "") -> None:
    """Ask a running step's operation to stop; cancelled first and noted after, so that a crash repeats it."""
    operation = step.operation
    if operation is not None and not cancellation.cancel_idle(operation) and cancellation.request_cancel(operation):
        cancellation.cancel_idle(operation)  # it may have come to rest between the two
    Step.objects.filter(pk=step.pk, status=Status.RUNNING, operation=operation).update(
        stopping=True, error=error or F("error")
    )


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────────────
def roll_back(parent: Operation, workflow: Any, action: Rollback, log: Log) -> None:
    """Start, as a part of an operation, the operation that takes back what a workflow's step made."""
    step = Step.objects.filter(workflow=workflow, name=action.step)
    rows = step.filter(rollback=Back.NONE)
    try:
        with transaction.atomic():
            if rows.update(rollback=Back.RUNNING):
                operation, _ = submit(parent, action.kind, action.input)
                step.update(rollback_operation=operation)
                log(f"Rolling back step {action.step}: {action.kind}, operation {operation.pk}.")
    except DomainError as refusal:
        gone = refusal.code == GONE
        text = "" if gone else secrets_of(workflow).hide(refusal.text)
        end_rollback(rows, log, action.step, Back.COMPLETED if gone else Back.FAILED, text)


def note_rollback(step: Step, log: Log) -> None:
    """Note what a step's rollback came to."""
    operation = step.rollback_operation
    text = rollback_error_of(operation) if operation else "The operation of its rollback is no longer there."
    rows = Step.objects.filter(pk=step.pk, rollback=Back.RUNNING, rollback_operation=operation)
    text = secrets_of(step.workflow_id).hide(text)
    end_rollback(rows, log, step.name, Back.FAILED if text else Back.COMPLETED, text)


def rollback_error_of(operation: Operation) -> str:
    """Say why an ended rollback has left something; empty when nothing is left."""
    if operation.status == Operation.Status.COMPLETED or operation.error_code == GONE:
        return ""
    return operation.error or f"Its rollback was {operation.status}."


@transaction.atomic
def end_rollback(rows: Any, log: Log, name: str, state: str, text: str) -> None:
    """Note how far taking back a step has come."""
    if rows.update(rollback=state, rollback_error=text):
        log(f"Step {name} is rolled back." if state == Back.COMPLETED else f"Step {name} is left: {text}")
