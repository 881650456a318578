"""What to do next: (definition, what it was given, states of its steps, the time) → actions. Pure, each time the same.

A plan ends with exactly one of Wait, Finish and Fail; what comes before it is to be done now. Once that is done and the
states say so, the next plan has nothing more to do until an operation ends or a time comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.workflows.board import FAILED, RUNNING, WAITING, Board, Instance, StepState, is_broken, may_retry
from apps.workflows.definition import Definition, StepDefinition
from apps.workflows.errors import ExpressionError
from apps.workflows.report import failure, not_undone

LOOK_AGAIN = 30.0
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Submit:
    """Start a step with this input."""

    step: str
    uses: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Retry(Submit):
    """Start a failed step again, with the input it had."""


@dataclass(frozen=True)
class Skip:
    """End a waiting step without starting it."""

    step: str
    reason: str


@dataclass(frozen=True)
class Refuse:
    """Fail a waiting step that cannot even be started."""

    step: str
    error: str


@dataclass(frozen=True)
class Stop:
    """Ask a step's operation to stop and undo itself; with an error, the step then counts as failed by it."""

    step: str
    error: str = ""


@dataclass(frozen=True)
class Rollback:
    """Start the operation that takes back what a step made."""

    step: str
    kind: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Wait:
    """Nothing more to do for so many seconds, or until one of these steps' operations ends."""

    seconds: float
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Finish:
    """All is done."""

    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Fail:
    """It has failed, and what was to be done about that is done."""

    code: str
    message: str


Action = Submit | Skip | Refuse | Stop | Rollback | Wait | Finish | Fail


def plan(
    definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState], now: datetime
) -> list[Action]:
    """Return what to do next on the way to the outputs, or, once a step has failed, on the way out."""
    board = Board(definition, given, states)
    broken = next((one for one in board.everything() if is_broken(one.step, board.state(one.name))), None)
    if broken and definition.on_failure == "rollback":
        return take_back(board) or [Fail("STEP_FAILED", failure(board))]
    if broken and definition.on_failure == "stop":
        return still(board) or [Fail("STEP_FAILED", failure(board))]
    todo = [action for one in board.everything() if (action := next_for(board, one, now))]
    if todo or is_open(board):
        return [*todo, wait(board, now)]
    return [Fail("STEP_FAILED", failure(board))] if broken else [finish(board)]


def unwind(definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState]) -> list[Action]:
    """Return what to do next to leave nothing of a cancelled workflow."""
    board = Board(definition, given, states)
    if actions := take_back(board):
        return actions
    left = not_undone(board)
    return [Fail("NOT_UNDONE", left)] if left else [Finish({})]


def foreseen(definition: Definition, given: Mapping[str, Any]) -> list[tuple[Instance, dict[str, Any]]]:
    """Return the operations whose input is known before anything has run."""
    states: dict[str, StepState] = {}
    board, found = Board(definition, given, states), []
    for one in board.everything():
        try:
            if board.is_wanted(one):
                found.append((one, board.input(one)))
                states[one.name] = StepState(one.name, input=found[-1][1])
        except ExpressionError:
            continue  # it reads a result
    return found


# ── forward ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def next_for(board: Board, one: Instance, now: datetime) -> Action | None:
    """Return what to do about one operation."""
    state = board.state(one.name)
    if state.status == WAITING:
        return begin(board, one)
    if state.status == RUNNING:
        return stop_late(one.step, state, now)
    if state.status == FAILED and may_retry(one.step, state):
        return again(one.step, state, now)
    return None


def begin(board: Board, one: Instance) -> Action | None:
    """Start a waiting operation when its time has come; skip it when it never will."""
    if board.is_blocked(one.step):
        return Skip(one.name, "a step that it needs has failed")
    if not board.is_ready(one.step):
        return None
    try:
        if not board.is_wanted(one):
            return Skip(one.name, "its condition is not met")
        return Submit(one.name, one.step.uses, board.input(one))
    except ExpressionError as error:
        return Refuse(one.name, str(error))


def stop_late(step: StepDefinition, state: StepState, now: datetime) -> Stop | None:
    """Stop a running operation whose time is up."""
    end = times_out_at(step, state)
    return Stop(state.name, f"It took longer than {step.timeout:g} seconds.") if end and now >= end else None


def again(step: StepDefinition, state: StepState, now: datetime) -> Action | None:
    """Start a failed operation again after its pause, what the last attempt left taken away before."""
    if state.inverse and not state.rollback:
        return Rollback(state.name, *state.inverse)
    if state.rollback == RUNNING or now < retries_at(step, state):
        return None
    return Retry(state.name, step.uses, state.input or {})


def times_out_at(step: StepDefinition, state: StepState) -> datetime | None:
    """Return when the operation's time is up; None when it has no limit or was told already."""
    if step.timeout is None or state.started_at is None or state.stopping:
        return None
    return state.started_at + timedelta(seconds=step.timeout)


def retries_at(step: StepDefinition, state: StepState) -> datetime:
    """Return when a failed operation may start again."""
    return (state.ended_at or LONG_AGO) + timedelta(seconds=step.delay_seconds)


def is_open(board: Board) -> bool:
    """Tell whether anything runs or will be tried again."""
    pairs = [(one.step, board.state(one.name)) for one in board.everything()]
    return any(is_moving(state) or (state.status == FAILED and may_retry(step, state)) for step, state in pairs)


def wait(board: Board, now: datetime) -> Wait:
    """Wait for what runs, or for the next time that matters."""
    times = [time for one in board.everything() if (time := next_time(one.step, board.state(one.name)))]
    seconds = min([LOOK_AGAIN, *((time - now).total_seconds() for time in times)])
    return Wait(max(seconds, 0.0), moving(board))


def next_time(step: StepDefinition, state: StepState) -> datetime | None:
    """Return when something is to be done about an operation though nothing has happened."""
    if state.status == RUNNING:
        return times_out_at(step, state)
    if state.status == FAILED and may_retry(step, state) and state.rollback != RUNNING:
        return retries_at(step, state)
    return None


def finish(board: Board) -> Finish | Fail:
    """End well, with the outputs."""
    try:
        return Finish(board.outputs())
    except ExpressionError as error:
        return Fail("OUTPUTS_FAILED", f"All steps are done, but the outputs cannot be made: {error}")


# ── back ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def take_back(board: Board) -> list[Action]:
    """Return what to do next to leave nothing behind; nothing when that is over.

    What runs is stopped. What has ended is taken back in the reverse order of its end, and only when nothing is left of
    the steps that need it; those that do not depend on each other go side by side.
    """
    states = [board.state(one.name) for one in board.everything()]
    stops = [Stop(state.name) for state in states if state.status == RUNNING and not state.stopping]
    free = sorted(removable(board), key=lambda state: state.ended_at or LONG_AGO, reverse=True)
    backs = [Rollback(state.name, *state.inverse) for state in free if state.inverse]
    return [*stops, *backs, Wait(LOOK_AGAIN, moving(board))] if stops or backs else still(board)


def removable(board: Board) -> Iterator[StepState]:
    """Yield the states that can be taken back now, the last in order first."""
    in_the_way: set[str] = set()
    for step in reversed(board.definition.steps):
        states = [board.state(one.name) for one in board.instances(step)]
        held = step.name in in_the_way
        if held or any(is_moving(state) or is_to_go(state) for state in states):
            in_the_way.update(step.needs)
        if not held:
            yield from (state for state in reversed(states) if is_to_go(state))


def is_to_go(state: StepState) -> bool:
    """Tell whether the operation made something that nobody has begun to take back."""
    return bool(state.inverse) and not state.rollback and state.status not in (WAITING, RUNNING)


def is_moving(state: StepState) -> bool:
    """Tell whether an operation is under way for the step, forth or back."""
    return state.status == RUNNING or state.rollback == RUNNING


def moving(board: Board) -> tuple[str, ...]:
    """Return the names of the steps with an operation under way."""
    return tuple(one.name for one in board.everything() if is_moving(board.state(one.name)))


def still(board: Board) -> list[Action]:
    """Wait while anything is under way."""
    names = moving(board)
    return [Wait(LOOK_AGAIN, names)] if names else []
