"""The dependency graph of a workflow's steps: their operations, states and the values expressions read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from apps.workflows.definition import Definition, StepDefinition
from apps.workflows.errors import ExpressionError
from apps.workflows.expressions import evaluate

MAX_ITEMS = 2000
WAITING, RUNNING, COMPLETED = "waiting", "running", "completed"
FAILED, CANCELLED, SKIPPED = "failed", "cancelled", "skipped"
ENDED_WELL, BROKEN = (COMPLETED, SKIPPED), (FAILED, CANCELLED)
SUCCESS, FAILURE, ALWAYS = "success", "failure", "always"


@dataclass(frozen=True)
class StepState:
    """What is known of one step: `name` is the definition's name, with `[index]` when it is one of many.

    `inverse` is the kind and input of the operation that takes back what the step made; `lasting` tells that nothing
    can. `begun_at` is when the work of its operation began, None while that waits for its turn. `rollback` is how far
    its rollback has got: nothing, running, completed or failed. `stopping` tells that its operation has been asked to
    stop, its time being up.
    """

    name: str
    status: str = WAITING
    attempt: int = 0
    input: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    operation: str = ""
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    inverse: tuple[str, Mapping[str, Any]] | None = None
    lasting: bool = False
    rollback: str = ""
    rollback_error: str = ""
    stopping: bool = False


@dataclass(frozen=True)
class Instance:
    """One operation to be: a step, or one item of a step that stands for many."""

    name: str
    step: StepDefinition
    index: int | None = None
    item: Any = None


class Readiness(NamedTuple):
    """Whether a step may begin now; whether it can never, for a failure, or for want of one."""

    ready: bool
    blocked: bool
    unneeded: bool


class StepGraph:
    """The steps of a definition with their dependencies, states and the workflow's input.

    `given` holds `parameters` and `existing`. With `halted`, no step begins any more but those that handle a failure.
    Everything is worked out once, when it is first asked for.
    """

    def __init__(
        self, definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState], halted: bool = False
    ):
        self.definition, self.given, self.states, self.halted = definition, given, states, halted
        self.steps = definition.by_name
        self.open: list[Instance] = []  # what waits, runs, is taken back or may be tried again, in order
        self.has_broken = False
        self._instances: dict[str, list[Instance]] = {}
        self._views: dict[str, dict[str, Any]] = {}
        self._met: dict[str, Readiness] = {}
        self._ended: dict[str, bool] = {}
        self._failing: dict[str, bool] = {}
        for step in definition.steps:  # in the order of needs
            self._look_at(step)

    def state(self, name: str) -> StepState:
        """Return a step's state; one that was never heard of waits."""
        return self.states.get(name) or StepState(name)

    def instances(self, step: StepDefinition) -> list[Instance]:
        """Return the operations that the step stands for; none yet while their number depends on open steps."""
        if step.name not in self._instances:
            self._instances[step.name] = self._expand(step)
        return self._instances[step.name]

    def everything(self) -> Iterator[Instance]:
        """Yield all operations known so far, in order."""
        for step in self.definition.steps:
            yield from self.instances(step)

    def is_ready(self, step: StepDefinition) -> bool:
        """Tell whether all that the step needs has ended as it needs it."""
        return self._met[step.name].ready

    def is_blocked(self, step: StepDefinition) -> bool:
        """Tell whether the step can never begin, for something that it needs to succeed has failed."""
        return self._met[step.name].blocked

    def is_unneeded(self, step: StepDefinition) -> bool:
        """Tell whether the step can never begin, for something that it needs to fail has ended well."""
        return self._met[step.name].unneeded

    def _look_at(self, step: StepDefinition) -> None:
        """Work out how the step stands, those that it needs having been looked at."""
        met = self._met[step.name] = self._readiness(step)
        halted = self.halted and not step.handles_failure
        at_rest, failing = True, met.blocked
        for one in self.instances(step):
            state = self.states.get(one.name)
            status = state.status if state else WAITING
            broken = state is not None and is_broken(step, state)
            self.has_broken = self.has_broken or broken
            if not broken and status not in ENDED_WELL:
                at_rest = at_rest and halted and status != RUNNING
                failing = failing or (halted and status != RUNNING)
                self.open.append(one)
            elif state is not None and state.rollback == RUNNING:
                self.open.append(one)
            failing = failing or broken
        known = not step.grows or met.ready
        self._failing[step.name] = failing
        self._ended[step.name] = met.blocked or met.unneeded or (known and at_rest)

    def _readiness(self, step: StepDefinition) -> Readiness:
        ready, blocked, unneeded = True, False, False
        for name in step.needs:
            ended, failing = self._ended[name], self._failing[name]
            outcome = step.outcomes.get(name, SUCCESS) if step.outcomes else SUCCESS
            if outcome == SUCCESS:
                ready, blocked = ready and ended and not failing, blocked or failing
            elif outcome == FAILURE:
                ready, unneeded = ready and ended and failing, unneeded or (ended and not failing)
            else:
                ready = ready and ended
        return Readiness(ready, blocked, unneeded)

    def input(self, instance: Instance) -> dict[str, Any]:
        """Return the input of an operation. Raises ExpressionError."""
        return evaluate(dict(instance.step.given), self.names(instance))

    def is_wanted(self, instance: Instance) -> bool:
        """Tell whether `when` lets the operation be. Raises ExpressionError."""
        condition = evaluate(instance.step.when, self.names(instance))
        if condition is not None and not isinstance(condition, bool):
            raise ExpressionError(f"when: {instance.step.when} is {condition!r}, neither true nor false")
        return condition is not False

    def outputs(self) -> dict[str, Any]:
        """Return the workflow's outputs. Raises ExpressionError."""
        return evaluate(dict(self.definition.outputs), self.base)

    def _expand(self, step: StepDefinition) -> list[Instance]:
        if not step.is_many:
            return [Instance(step.name, step)]
        if step.grows and not self.is_ready(step):
            return []
        try:
            items = self.items(step)
        except ExpressionError:
            return [Instance(step.name, step)]  # which fails with this error when its turn comes
        return [Instance(f"{step.name}[{index}]", step, index, item) for index, item in enumerate(items)]

    def items(self, step: StepDefinition) -> list[Any]:
        """Return what a step that stands for many is done for. Raises ExpressionError."""
        items = evaluate(step.for_each, self.base)
        if not isinstance(items, list):
            raise ExpressionError(f"for_each: {step.for_each} is no list")
        if len(items) > MAX_ITEMS:
            raise ExpressionError(f"for_each: {len(items)} items are more than {MAX_ITEMS}")
        return items

    def names(self, instance: Instance) -> Mapping[str, Any]:
        """Return what the expressions of an operation may read. Raises ExpressionError."""
        if instance.step.is_many and instance.index is None:
            self.items(instance.step)  # raises what kept it from being expanded
        if instance.index is None:
            return self.base
        return {**self.base, "item": instance.item, "index": instance.index}

    @cached_property
    def base(self) -> dict[str, Any]:
        """What the expressions of every operation may read."""
        return {**self.given, "steps": Views(self)}

    def view(self, name: str) -> dict[str, Any]:
        """Return what expressions see of a step."""
        if name not in self._views:
            step = self.steps[name]
            each = [seen(self.state(one.name), one) for one in self.instances(step)]
            self._views[name] = many(each) if step.is_many else each[0]
        return self._views[name]


class Views(Mapping):
    """What expressions see under `steps`; a step is looked at when it is named."""

    def __init__(self, graph: StepGraph):
        self.graph = graph
        self.names = graph.steps

    def __getitem__(self, name: str) -> dict[str, Any]:
        if name not in self.names:
            raise KeyError(name)
        return self.graph.view(name)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def seen(state: StepState, instance: Instance) -> dict[str, Any]:
    """Return what expressions see of one operation; what is not known yet is not there."""
    facts = {"name": state.name, "status": state.status, "item": instance.item, "index": instance.index}
    if state.input is not None:
        facts["input"] = state.input
    if state.result is not None or state.status in (SKIPPED, *BROKEN):
        facts["result"] = state.result
        facts["error"] = state.error
    return facts


def many(each: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what expressions see of a step that stands for many: `each`, and the results once all are known."""
    facts: dict[str, Any] = {"each": each}
    if all("result" in one for one in each):
        facts["result"] = [one["result"] for one in each]
    return facts


def is_broken(step: StepDefinition, state: StepState) -> bool:
    """Tell whether the operation has failed for good: cancelled, or failed with no attempt left."""
    return state.status == CANCELLED or (state.status == FAILED and not may_retry(step, state))


def is_in_progress(state: StepState) -> bool:
    """Tell whether an operation is under way for the step, forth or back."""
    return state.status == RUNNING or state.rollback == RUNNING


def may_retry(step: StepDefinition, state: StepState) -> bool:
    """Tell whether a failed operation has attempts left, and nothing of the last one is in the way."""
    return state.input is not None and state.attempt < step.attempts and state.rollback != FAILED
