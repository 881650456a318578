"""Running workflows: look at the steps, plan, act, and wait for the operations under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.operations.errors import Refused
from apps.operations.handler_api import Context, Done, Wait
from apps.workflows import planner
from apps.workflows.actions import Action, Fail, Finish, Refuse, Rollback, Skip, Stop, Submit
from apps.workflows.definition import APPROVE, WAIT, Definition
from apps.workflows.models import Step, Workflow
from apps.workflows.progress import Progress
from apps.workflows.secrets import Secrets
from apps.workflows.services import freeze, step_states, step_transitions
from apps.workflows.services.pinned_definition import definition_of, given_to, secrets_of
from apps.workflows.services.step_transitions import Log
from apps.workflows.step_graph import StepGraph, StepState

AT_ONCE = 25  # actions in one transaction
MAX_ACTIONS = 50  # in one step, so that a cancel finds it between two steps
MAX_NAMED = 3
LONGEST_LOOK = 60.0  # seconds after which a held workflow looks for changed windows again
States = Mapping[str, StepState]
Decide = Callable[[Definition, Mapping[str, Any], States], list[Action]]


def run_workflow(context: Context) -> Done | Wait:
    """Do what is to be done now, then wait for the operations under way; the first to end wakes the workflow."""
    if held := held_by_freeze(context):
        return held
    came_to = advance(context, plan_now)
    return keep_outputs(context, came_to) if isinstance(came_to, Done) else came_to


def keep_outputs(context: Context, done: Done) -> Done:
    """Keep the outputs for the workflows that go on with them; where they are shown, secrets are hidden."""
    Workflow.objects.filter(pk=context.operation.pk).update(outputs=done.result)
    return Done(secrets_of(context.operation.pk).hide(done.result))


def held_by_freeze(context: Context) -> Wait | None:
    """Wait for the end of a freeze window before the first step; a workflow that is a step of another does not."""
    operation = context.operation
    if operation.parent_id or freeze.has_begun(operation):
        return None
    window = freeze.window_holding(operation)
    if window is None or Workflow.objects.filter(pk=operation.pk).exclude(freeze_override="").exists():
        context.save(**Progress(begun=True))
        return None
    ends = window.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    left = (window.ends_at - timezone.now()).total_seconds()
    note = f"held by a freeze window until {ends}: {window.reason}"
    return Wait(max(0.0, min(left, LONGEST_LOOK)), message=note, queued=True)


def plan_now(definition: Definition, given: Mapping[str, Any], states: States) -> list[Action]:
    """Plan with the present time."""
    return planner.plan(definition, given, states, timezone.now(), max_actions=MAX_ACTIONS)


def undo_workflow(context: Context) -> Done | Wait:
    """Stop what a cancelled workflow has under way, then take back what it made."""
    return advance(context, planner.plan_cancellation)


def roll_back_workflow(context: Context) -> Done | Wait:
    """Take back what a workflow that has ended has made; only what nothing takes back may be left. Raises Refused."""
    return advance(context, planner.plan_rollback, context.params["workflow"])


def advance(context: Context, decide: Decide, workflow_id: str = "") -> Done | Wait:
    """Plan and act until only waiting is left, or until so much was done that others should have their turn.

    The workflow is the operation's own unless another is named.
    """
    workflow = UUID(str(workflow_id or context.operation.pk))
    definition, given = definition_of(workflow), given_to(workflow)
    left = MAX_ACTIONS
    while left > 0:
        lines: list[str] = []
        with transaction.atomic():
            states = look(workflow, definition, given, lines.append)
            *todo, last = decide(definition, given, states)
            started = act_on_all(context, workflow, definition, todo[:AT_ONCE], lines)
        for first in range(AT_ONCE, min(len(todo), left), AT_ONCE):
            with transaction.atomic():
                started += act_on_all(context, workflow, definition, todo[first : first + AT_ONCE], [])
        left -= len(todo)
        if not todo:
            return outcome(last, definition, secrets_of(workflow))
        if left > 0 and isinstance(last, planner.Wait) and is_plain(todo, started, definition):
            states = {**states, **{state.name: state for state in started}}
            names = (*last.steps, *(state.name for state in started))
            return outcome(planner.Wait(last.seconds, names), definition, secrets_of(workflow))
    return Wait(0, message="more steps are to be started")


def act_on_all(
    context: Context, workflow: UUID, definition: Definition, actions: list[Action], lines: list[str]
) -> list[StepState]:
    """Carry out actions and log them after `lines`, in the caller's transaction; returns the steps that were started.

    Raises LeaseLost, upon which the transaction is to be rolled back.
    """
    started = start(context, definition, [one for one in actions if isinstance(one, Submit)], lines.append)
    for action in actions:
        act(context, workflow, action, lines.append)
    if actions or lines:
        secrets = secrets_of(workflow)
        context.log_all([secrets.hide_text(line) for line in lines])
    return started


def is_plain(todo: list[Action], started: list[StepState], definition: Definition) -> bool:
    """Tell whether all actions have started a step, and nothing follows from that before their operations end."""
    return len(started) == len(todo) and all(definition.step_named(one.name).timeout is None for one in started)


def look(workflow: UUID, definition: Definition, given: Mapping[str, Any], log: Log) -> States:
    """Return the states of all steps, after noting what has ended and laying out what has come to be known."""
    step_transitions.record_finished(workflow, definition, log)
    states = step_states.states_of(workflow)
    if definition.grows:
        step_transitions.create_steps(workflow, StepGraph(definition, given, states))
    return states


def start(context: Context, definition: Definition, actions: list[Submit], log: Log) -> list[StepState]:
    """Start steps; done twice, the second changes nothing. Returns the states of those that were started."""

    def tolerated(name: str) -> tuple[str, ...]:
        return definition.step_named(name).tolerate

    ids = step_transitions.start(context.operation, actions, tolerated, log)
    return [
        StepState(action.step, Step.Status.RUNNING, operation=id) for action, id in zip(actions, ids, strict=True) if id
    ]


def act(context: Context, workflow: UUID, action: Action, log: Log) -> None:
    """Carry out an action that starts no step; done twice, the second changes nothing."""
    parent = context.operation
    if isinstance(action, Skip):
        step_transitions.skip(parent, action, log)
    elif isinstance(action, Refuse):
        step_transitions.refuse(parent, action, log)
    elif isinstance(action, Rollback):
        step_transitions.roll_back(parent, workflow, action, log)
    elif isinstance(action, Stop):
        stop(context, action, log)


def stop(context: Context, action: Stop, log: Log) -> None:
    """Ask a step's operation to stop."""
    log(f"Stopping step {action.step}{': ' + action.error if action.error else '.'}")
    running = Step.objects.filter(workflow=context.operation.pk, name=action.step, status=Step.Status.RUNNING)
    for step in running.select_related("operation"):
        step_transitions.stop(step, action.error)


def outcome(last: Action, definition: Definition, secrets: Secrets) -> Done | Wait:
    """Turn the end of a plan into a result for the engine: waiting for a person costs no time. Raises Refused."""
    if isinstance(last, Finish):
        return Done(dict(last.outputs))
    if isinstance(last, Fail):
        raise Refused(last.code, secrets.hide_text(last.message))
    if isinstance(last, planner.Wait):
        paused = bool(last.steps) and all(definition.step_named(name).uses in (APPROVE, WAIT) for name in last.steps)
        return Wait(last.seconds, message=waiting_for(last.steps), queued=paused, is_in_log=bool(last.steps))
    raise TypeError(f"A plan ends with Finish, Fail or Wait, not with {last!r}.")


def waiting_for(steps: tuple[str, ...]) -> str:
    """Say what is waited for."""
    if not steps:
        return "waiting to try a failed step again"
    more = f" and {len(steps) - MAX_NAMED} more" if len(steps) > MAX_NAMED else ""
    return f"waiting for step {', '.join(steps[:MAX_NAMED])}{more}"
