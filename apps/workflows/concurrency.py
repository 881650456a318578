"""Concurrency limits of a workflow and of its steps, `max_parallel`; pure."""

from __future__ import annotations

from collections import Counter

from apps.workflows.definition import Definition, StepDefinition
from apps.workflows.errors import ExpressionError
from apps.workflows.step_graph import StepGraph, is_in_progress


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
            return self.graph.max_parallel(of)
        except ExpressionError:
            return 1
