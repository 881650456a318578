"""The operations of a workflow whose input is known before anything has run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from apps.system.work_limit import spend
from apps.workflows.definition import Definition
from apps.workflows.errors import BadStepInput, ExpressionError, TooManyOperations
from apps.workflows.expressions import steps_read
from apps.workflows.step_graph import Instance, StepGraph, StepState

MAX_OPERATIONS = 4000
BYTES_PER_UNIT = 50  # of an input as JSON, which is stored, shown, and searched for secrets


def foreseen(definition: Definition, given: Mapping[str, Any]) -> list[tuple[Instance, dict[str, Any]]]:
    """Return the operations whose input is known before anything has run.

    Raises TooManyOperations, TooMuchWork, and BadStepInput for one whose expressions fail although they read no result.
    """
    states: dict[str, StepState] = {}
    graph, found = StepGraph(definition, given, states), []
    everything = list(graph.everything())
    if len(everything) > MAX_OPERATIONS:
        raise TooManyOperations(count=len(everything), most=MAX_OPERATIONS)
    for one in everything:
        try:
            if graph.is_wanted(one):
                found.append((one, graph.input(one)))
                spend(len(orjson.dumps(found[-1][1])) // BYTES_PER_UNIT)  # of what is shown, hidden and stored of it
                states[one.name] = StepState(one.name, input=found[-1][1])
        except ExpressionError as error:
            if not steps_read([dict(one.step.given), one.step.when, one.step.for_each]):
                what = str(error)
                raise BadStepInput(step=one.name, uses=one.step.uses, what=what, field="parameters") from error
    return found
