"""What to do next: (definition, what it was given, states of its steps, the time) → actions. Pure, each time the same.

A plan ends with exactly one of Wait, Finish and Fail; what comes before it is to be done now. Once that is done and the
states say so, the next plan has nothing more to do until an operation ends or a time comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.workflows.actions import Action, Fail, Finish, Refuse, Retry, Rollback, Skip, Stop, Submit, Wait
from apps.workflows.concurrency import ConcurrencyLimits
from apps.workflows.definition import APPROVE, WAIT, Definition, StepDefinition
from apps.workflows.errors import ExpressionError
from apps.workflows.report import failure, not_undone
from apps.workflows.step_graph import (
    COMPLETED,
    FAILED,
    RUNNING,
    WAITING,
    Instance,
    StepGraph,
    StepState,
    is_in_progress,
    may_retry,
)

LOOK_AGAIN = 30.0
BLOCKED = "a step that it needs has failed"
NO_FAILURE = "no step whose failure it handles has failed"
CONDITION_FALSE = "its condition is not met"
# The errors of skipped steps that a resumed workflow plans again.
NEVER_BEGUN = (None, "", BLOCKED, NO_FAILURE, CONDITION_FALSE)
EARLIEST = datetime.min.replace(tzinfo=UTC)


def plan(
    definition: Definition,
    given: Mapping[str, Any],
    states: Mapping[str, StepState],
    now: datetime,
    max_actions: int | None = None,
) -> list[Action]:
    """Return what to do next towards the outputs, or, once a step has failed, towards the end.

    With `most`, no more than so many actions, of which the next plan gives the rest.
    """
    graph = StepGraph(definition, given, states)
    if graph.has_broken and definition.on_failure != "continue":
        if any(step.handles_failure for step in definition.steps):
            graph = StepGraph(definition, given, states, halted=True)
        return plan_after_failure(graph, now)
    todo = forward(graph, graph.open, now, max_actions)
    if max_actions is not None and len(todo) >= max_actions:
        return [*todo, Wait(0.0, ())]
    if todo or has_work_left(graph):
        return [*todo, wait(graph, now)]
    return [Fail("STEP_FAILED", failure(graph))] if graph.has_broken else [finish(graph)]


def plan_after_failure(graph: StepGraph, now: datetime) -> list[Action]:
    """Return what to do next after a failure: the steps that handle it first, then what `on_failure` says.

    Other steps that run are stopped with `rollback`; with `stop` only those that wait, for a person or a time.
    """
    rolls_back = graph.definition.on_failure == "rollback"
    handlers = [one for one in graph.open if one.step.handles_failure]
    todo = forward(graph, handlers, now)
    others = [one for one in graph.open if not one.step.handles_failure]
    stopped = [one for one in others if rolls_back or one.step.uses in (APPROVE, WAIT)]
    stops: list[Action] = [Stop(one.name) for one in stopped if is_to_stop(graph.state(one.name))]
    if todo or any(is_unsettled(one.step, graph.state(one.name)) for one in handlers):
        return [*stops, *todo, wait(graph, now)]
    ending = undo_actions(graph) if rolls_back else [*stops, *wait_for_running(graph)]
    return ending or [Fail("STEP_FAILED", failure(graph))]


def is_to_stop(state: StepState) -> bool:
    """Tell whether an operation is under way that nobody has asked to stop."""
    return state.status == RUNNING and not state.stopping


def is_unsettled(step: StepDefinition, state: StepState) -> bool:
    """Tell whether an operation has yet to begin, to end or to be tried again."""
    return state.status == WAITING or is_in_progress(state) or (state.status == FAILED and may_retry(step, state))


def plan_cancellation(
    definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState]
) -> list[Action]:
    """Return what to do next to leave nothing of a cancelled workflow."""
    graph = StepGraph(definition, given, states)
    if actions := undo_actions(graph):
        return actions
    left = not_undone(graph)
    return [Fail("NOT_UNDONE", left)] if left else [Finish({})]


def plan_rollback(definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState]) -> list[Action]:
    """Return what to do next to take back a workflow that has ended; what nothing takes back is left."""
    graph = StepGraph(definition, given, states)
    if actions := undo_actions(graph):
        return actions
    known = [graph.state(one.name) for one in graph.everything()]
    if any(state.rollback == FAILED for state in known):
        return [Fail("NOT_UNDONE", not_undone(graph))]
    rolled = [state.name for state in known if state.rollback == COMPLETED]
    return [Finish({"rolled_back": rolled, "left": [state.name for state in known if is_kept(state)]})]


def is_kept(state: StepState) -> bool:
    """Tell whether nothing takes back what the operation made."""
    return state.lasting and state.status == COMPLETED


# ── forward ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def forward(graph: StepGraph, ones: Iterable[Instance], now: datetime, max_actions: int | None = None) -> list[Action]:
    """Return what to do about operations, as many at once as `max_parallel` lets run."""
    todo: list[Action] = []
    limits = ConcurrencyLimits(graph)
    for one in ones:
        waits = graph.state(one.name).status in (WAITING, FAILED)
        if waits and not limits.allows(one.step) and not graph.is_blocked(one.step):
            continue
        if action := next_action(graph, one, now):
            todo.append(action)
            if isinstance(action, Submit | Rollback):
                limits.count(one.step)
            if len(todo) == max_actions:
                break
    return todo


def next_action(graph: StepGraph, one: Instance, now: datetime) -> Action | None:
    """Return what to do about one operation."""
    state = graph.state(one.name)
    if state.status == WAITING:
        return start_or_skip(graph, one)
    if state.status == RUNNING:
        return stop_if_timed_out(one.step, state, now)
    if state.status == FAILED and may_retry(one.step, state):
        return retry(graph, one, now)
    return None


def start_or_skip(graph: StepGraph, one: Instance) -> Action | None:
    """Start a waiting operation when its time has come; skip it when it never will."""
    if graph.is_blocked(one.step):
        return Skip(one.name, BLOCKED)
    if graph.is_unneeded(one.step):
        return Skip(one.name, NO_FAILURE)
    if not graph.is_ready(one.step):
        return None
    try:
        if not graph.is_wanted(one):
            return Skip(one.name, CONDITION_FALSE)
        return Submit(one.name, one.step.uses, graph.input(one))
    except ExpressionError as error:
        return Refuse(one.name, str(error))


def stop_if_timed_out(step: StepDefinition, state: StepState, now: datetime) -> Stop | None:
    """Stop a running operation whose time is up."""
    end = times_out_at(step, state)
    return Stop(state.name, f"It took longer than {step.timeout:g} seconds.") if end and now >= end else None


def retry(graph: StepGraph, one: Instance, now: datetime) -> Action | None:
    """Start a failed operation again after its pause, what the last attempt left taken away before."""
    step, state = one.step, graph.state(one.name)
    if state.inverse and not state.rollback:
        return Rollback(state.name, *state.inverse)
    if state.rollback == RUNNING or now < retries_at(step, state):
        return None
    return Retry(state.name, step.uses, state.input or {})


def times_out_at(step: StepDefinition, state: StepState) -> datetime | None:
    """Return when the operation's time is up; None when it has no limit, has not begun or was told already."""
    if step.timeout is None or state.begun_at is None or state.stopping:
        return None
    return state.begun_at + timedelta(seconds=step.timeout)


def retries_at(step: StepDefinition, state: StepState) -> datetime:
    """Return when a failed operation may start again."""
    return (state.ended_at or EARLIEST) + timedelta(seconds=step.delay_seconds)


def has_work_left(graph: StepGraph) -> bool:
    """Tell whether anything runs or will be tried again."""
    pairs = [(one.step, graph.state(one.name)) for one in graph.open]
    return any(is_in_progress(state) or (state.status == FAILED and may_retry(step, state)) for step, state in pairs)


def wait(graph: StepGraph, now: datetime) -> Wait:
    """Wait for what runs, or for the next time that matters."""
    times = [time for one in graph.open if (time := next_time(one.step, graph.state(one.name), now))]
    seconds = min([LOOK_AGAIN, *((time - now).total_seconds() for time in times)])
    return Wait(max(seconds, 0.0), in_progress(graph))


def next_time(step: StepDefinition, state: StepState, now: datetime) -> datetime | None:
    """Return when something is to be done about an operation though nothing has happened.

    The time of one that has not begun is up no sooner than if it began now.
    """
    if state.status == RUNNING and step.timeout is not None and state.begun_at is None and not state.stopping:
        return now + timedelta(seconds=step.timeout)
    if state.status == RUNNING:
        return times_out_at(step, state)
    if state.status == FAILED and may_retry(step, state) and state.rollback != RUNNING:
        return retries_at(step, state)
    return None


def finish(graph: StepGraph) -> Finish | Fail:
    """End well, with the outputs."""
    try:
        return Finish(graph.outputs())
    except ExpressionError as error:
        return Fail("OUTPUTS_FAILED", f"All steps are done, but the outputs cannot be made: {error}")


# ── back ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def undo_actions(graph: StepGraph) -> list[Action]:
    """Return what to do next to leave nothing behind; nothing when that is over.

    What runs is stopped. What has ended is taken back in the reverse order of its end, and only when nothing is left of
    the steps that need it; those that do not depend on each other go side by side, as many as `max_parallel` lets run.
    """
    states = [graph.state(one.name) for one in graph.everything()]
    stops = [Stop(state.name) for state in states if is_to_stop(state)]
    backs: list[Action] = []
    limits = ConcurrencyLimits(graph)
    for state in sorted(undoable(graph), key=lambda state: state.ended_at or EARLIEST, reverse=True):
        step = graph.definition.step_named(state.name)
        if state.inverse and limits.allows(step):
            backs.append(Rollback(state.name, *state.inverse))
            limits.count(step)
    return [*stops, *backs, Wait(LOOK_AGAIN, in_progress(graph))] if stops or backs else wait_for_running(graph)


def undoable(graph: StepGraph) -> Iterator[StepState]:
    """Yield the states that can be taken back now, the last in order first."""
    in_the_way: set[str] = set()
    for step in reversed(graph.definition.steps):
        states = [graph.state(one.name) for one in graph.instances(step)]
        held = step.name in in_the_way
        if held or any(is_in_progress(state) or is_undoable(state) for state in states):
            in_the_way.update(step.needs)
        if not held:
            yield from (state for state in reversed(states) if is_undoable(state))


def is_undoable(state: StepState) -> bool:
    """Tell whether the operation made something that nobody has begun to take back."""
    return bool(state.inverse) and not state.rollback and state.status not in (WAITING, RUNNING)


def in_progress(graph: StepGraph) -> tuple[str, ...]:
    """Return the names of the steps with an operation under way."""
    return tuple(one.name for one in graph.open if is_in_progress(graph.state(one.name)))


def wait_for_running(graph: StepGraph) -> list[Action]:
    """Wait while anything is under way."""
    names = in_progress(graph)
    return [Wait(LOOK_AGAIN, names)] if names else []
