"""Concurrency limits of a workflow and of its steps, `max_parallel`; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from apps.workflows.definition import Definition, StepDefinition
from apps.workflows.errors import BadLimit, ExpressionError
from apps.workflows.expressions import evaluate
from apps.workflows.step_graph import MAX_ITEMS, StepGraph, is_in_progress


class ConcurrencyLimits:
    """How many more operations may run; those that take something back count like those that make it."""

    def __init__(self, graph: StepGraph):
        self.graph = graph
        self.running = Counter(one.step.name for one in graph.open if is_in_progress(graph.state(one.name)))
        self.free = self.limit(graph.definition) - self.running.total()
        self.limits: dict[str, int] = {}

    def allows(self, step: StepDefinition) -> bool:
        """Tell whether one more operation of a step may run."""
        if step.name not in self.limits:
            self.limits[step.name] = self.limit(step)
        return self.free > 0 and self.running[step.name] < self.limits[step.name]

    def count(self, step: StepDefinition) -> None:
        """Count one more operation of a step."""
        self.free -= 1
        self.running[step.name] += 1

    def limit(self, of: StepDefinition | Definition) -> int:
        """Return how many operations may run at once; one where the expression for it fails."""
        try:
            return max_parallel(of, self.graph.given)
        except ExpressionError:
            return 1


def max_parallel(of: StepDefinition | Definition, given: Mapping[str, Any]) -> int:
    """Return how many operations of a step, or of the workflow, may run at once. Raises ExpressionError."""
    if of.max_parallel is None:
        return MAX_ITEMS * MAX_ITEMS
    maximum = evaluate(of.max_parallel, given)
    if not isinstance(maximum, int) or isinstance(maximum, bool) or maximum < 1:
        raise ExpressionError(f"max_parallel: {of.max_parallel} is {maximum!r}, no whole number from 1")
    return maximum


def refuse_bad_limits(definition: Definition, given: Mapping[str, Any]) -> None:
    """Refuse parameters of which an expression makes no limit. Raises BadLimit."""
    limited: list[StepDefinition | Definition] = [definition, *definition.steps]
    for of in limited:
        if isinstance(of.max_parallel, str):
            try:
                max_parallel(of, given)
            except ExpressionError as error:
                raise BadLimit(what=error, field="parameters") from error
