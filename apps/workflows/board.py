"""A definition laid out: which operations its steps stand for, and what their expressions see. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from apps.workflows.definition import Definition, StepDefinition
from apps.workflows.errors import ExpressionError
from apps.workflows.expressions import evaluate

MOST_ITEMS = 2000
WAITING, RUNNING, COMPLETED = "waiting", "running", "completed"
FAILED, CANCELLED, SKIPPED = "failed", "cancelled", "skipped"
ENDED_WELL, BROKEN = (COMPLETED, SKIPPED), (FAILED, CANCELLED)


@dataclass(frozen=True)
class StepState:
    """What is known of one step: `name` is the definition's name, with `[index]` when it is one of many.

    `inverse` is the kind and input of the operation that takes back what the step made; `lasting` tells that nothing
    can. `rollback` is how far that has got: nothing, running, completed or failed. `stopping` tells that its operation
    has been asked to stop, its time being up.
    """

    name: str
    status: str = WAITING
    attempt: int = 0
    input: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    operation: str = ""
    started_at: datetime | None = None
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


class Board:
    """A definition laid out over what it was given and the states of its steps.

    `given` holds `parameters` and `existing`. Everything is worked out once, when it is first asked for.
    """

    def __init__(self, definition: Definition, given: Mapping[str, Any], states: Mapping[str, StepState]):
        self.definition, self.given, self.states = definition, given, states
        self.steps = {step.name: step for step in definition.steps}
        self._instances: dict[str, list[Instance]] = {}
        self._views: dict[str, dict[str, Any]] = {}
        self._met: dict[str, bool] = {}
        self._blocked: dict[str, bool] = {}
        for step in definition.steps:  # in the order of needs, so that no question goes deep
            self.is_blocked(step)
            self.has_met(step)

    def state(self, name: str) -> StepState:
        """Return a step's state; one that was never heard of waits."""
        return self.states.get(name) or StepState(name)

    def instances(self, step: StepDefinition) -> list[Instance]:
        """Return the operations that the step stands for; none yet while their number depends on open steps."""
        if step.name not in self._instances:
            self._instances[step.name] = self._expand(step)
        return self._instances[step.name]

    def is_known(self, step: StepDefinition) -> bool:
        """Tell whether it is known how many operations the step stands for."""
        return not step.grows or self.is_ready(step)

    def everything(self) -> Iterator[Instance]:
        """Yield all operations known so far, in order."""
        for step in self.definition.steps:
            yield from self.instances(step)

    def needs(self, step: StepDefinition) -> list[StepDefinition]:
        """Return the steps that the step needs."""
        return [self.steps[name] for name in step.needs]

    def is_ready(self, step: StepDefinition) -> bool:
        """Tell whether all that the step needs has ended well."""
        return all(self.has_met(need) for need in self.needs(step))

    def has_met(self, step: StepDefinition) -> bool:
        """Tell whether the step has ended well as a whole."""
        if step.name not in self._met:
            ended = all(self.state(one.name).status in ENDED_WELL for one in self.instances(step))
            self._met[step.name] = self.is_known(step) and ended and not self.is_blocked(step)
        return self._met[step.name]

    def is_blocked(self, step: StepDefinition) -> bool:
        """Tell whether the step can never begin, for something it needs has failed."""
        if step.name not in self._blocked:
            needs = self.needs(step)
            self._blocked[step.name] = any(self.is_blocked(need) or self.has_broken(need) for need in needs)
        return self._blocked[step.name]

    def has_broken(self, step: StepDefinition) -> bool:
        """Tell whether an operation of the step has failed for good."""
        return any(is_broken(step, self.state(one.name)) for one in self.instances(step))

    def input(self, instance: Instance) -> dict[str, Any]:
        """Return the input of an operation. Raises ExpressionError."""
        return evaluate(dict(instance.step.given), self._names(instance))

    def is_wanted(self, instance: Instance) -> bool:
        """Tell whether `when` lets the operation be. Raises ExpressionError."""
        wanted = evaluate(instance.step.when, self._names(instance))
        if wanted is not None and not isinstance(wanted, bool):
            raise ExpressionError(f"when: {instance.step.when} is {wanted!r}, neither true nor false")
        return wanted is not False

    def outputs(self) -> dict[str, Any]:
        """Return the workflow's outputs. Raises ExpressionError."""
        return evaluate(dict(self.definition.outputs), self._base)

    def _expand(self, step: StepDefinition) -> list[Instance]:
        if not step.is_many:
            return [Instance(step.name, step)]
        if not self.is_known(step):
            return []
        try:
            items = self.items(step)
        except ExpressionError:
            return [Instance(step.name, step)]  # which fails with this error when its turn comes
        return [Instance(f"{step.name}[{index}]", step, index, item) for index, item in enumerate(items)]

    def items(self, step: StepDefinition) -> list[Any]:
        """Return what a step that stands for many is done for. Raises ExpressionError."""
        items = evaluate(step.for_each, self._base)
        if not isinstance(items, list):
            raise ExpressionError(f"for_each: {step.for_each} is no list")
        if len(items) > MOST_ITEMS:
            raise ExpressionError(f"for_each: {len(items)} items are more than {MOST_ITEMS}")
        return items

    def _names(self, instance: Instance) -> Mapping[str, Any]:
        if instance.step.is_many and instance.index is None:
            self.items(instance.step)  # raises what kept it from being expanded
        if instance.index is None:
            return self._base
        return {**self._base, "item": instance.item, "index": instance.index}

    @cached_property
    def _base(self) -> dict[str, Any]:
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

    def __init__(self, board: Board):
        self.board = board
        self.names = board.steps

    def __getitem__(self, name: str) -> dict[str, Any]:
        if name not in self.names:
            raise KeyError(name)
        return self.board.view(name)

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


def may_retry(step: StepDefinition, state: StepState) -> bool:
    """Tell whether a failed operation has attempts left, and nothing of the last one is in the way."""
    return state.input is not None and state.attempt < step.attempts and state.rollback != FAILED
