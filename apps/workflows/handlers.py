"""Running workflows: look at the steps, plan, act, and wait for the operations under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.utils import timezone

from apps.operations.errors import Refused
from apps.operations.steps import Context, Done, Wait
from apps.workflows import planner
from apps.workflows.board import Board, StepState
from apps.workflows.definition import Definition, pinned
from apps.workflows.models import Step, Workflow
from apps.workflows.planner import Action, Fail, Finish, Refuse, Rollback, Skip, Stop, Submit
from apps.workflows.services import stepping

MOST_ACTIONS = 20  # in one step, so that a cancel finds it between two steps
MOST_NAMED = 3
States = Mapping[str, StepState]
Decide = Callable[[Definition, Mapping[str, Any], States], list[Action]]


def run_workflow(context: Context) -> Done | Wait:
    """Do what is to be done now, then wait for the operations under way; the first to end wakes the workflow."""
    return advance(context, lambda definition, given, states: planner.plan(definition, given, states, timezone.now()))


def undo_workflow(context: Context) -> Done | Wait:
    """Stop what a cancelled workflow has under way, then take back what it made."""
    return advance(context, planner.unwind)


def advance(context: Context, decide: Decide) -> Done | Wait:
    """Plan and act until only waiting is left, or until so much was done that others should have their turn."""
    workflow = Workflow.objects.get(pk=context.operation.pk)
    definition = pinned(orjson.dumps(workflow.definition))
    given = {"parameters": workflow.parameters, "existing": workflow.existing}
    left = MOST_ACTIONS
    while left > 0:
        states = look(context, workflow, definition, given)
        *todo, last = decide(definition, given, states)
        if not todo:
            return outcome(last, states)
        for action in todo[:left]:
            act(context, definition, action)
        left -= len(todo)
    return Wait(0, note="more steps are to be started")


def look(context: Context, workflow: Workflow, definition: Definition, given: Mapping[str, Any]) -> States:
    """Return the states of all steps, after noting what has ended and laying out what has come to be known."""
    stepping.see_ends(workflow, definition, context.log)
    states = stepping.states_of(workflow)
    if any(step.grows for step in definition.steps):
        stepping.lay_out(workflow, Board(definition, given, states))
    return states


def act(context: Context, definition: Definition, action: Action) -> None:
    """Carry out one action; done twice, the second changes nothing."""
    parent = context.operation
    if isinstance(action, Submit):
        step = next(step for step in definition.steps if step.name == action.step.partition("[")[0])
        stepping.start(parent, action, step.tolerate, context.log)
    elif isinstance(action, Skip):
        stepping.skip(parent, action, context.log)
    elif isinstance(action, Refuse):
        stepping.refuse(parent, action, context.log)
    elif isinstance(action, Rollback):
        stepping.roll_back(parent, action, context.log)
    elif isinstance(action, Stop):
        stop(context, action)


def stop(context: Context, action: Stop) -> None:
    """Ask a step's operation to stop."""
    context.log(f"Stopping step {action.step}{': ' + action.error if action.error else '.'}")
    running = Step.objects.filter(workflow=context.operation.pk, name=action.step, status=Step.Status.RUNNING)
    for step in running.select_related("operation"):
        stepping.stop(step, action.error)


def outcome(last: Action, states: States) -> Done | Wait:
    """Turn the end of a plan into what the engine is told. Raises Refused."""
    if isinstance(last, Finish):
        return Done(dict(last.outputs))
    if isinstance(last, Fail):
        raise Refused(last.code, last.message)
    return Wait(last.seconds, note=waiting_for(last.steps, states))


def waiting_for(steps: tuple[str, ...], states: States) -> str:
    """Say what is waited for."""
    if not steps:
        return "waiting to try a failed step again"
    named = [f"{name} (operation {states[name].operation})" for name in steps[:MOST_NAMED]]
    more = f" and {len(steps) - MOST_NAMED} more" if len(steps) > MOST_NAMED else ""
    return f"waiting for step {', '.join(named)}{more}"
