"""What a workflow definition says, checked before anything runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from typing import Any

import orjson

from apps.workflows.definition_checks import check, need_name, needs_of
from apps.workflows.expressions import steps_read

MAX_BYTES = 256 * 1024  # of a definition file
APPROVE, WAIT, RUN = "workflow.approve", "workflow.wait", "workflow.run"  # the kinds of shorter forms of a step


@dataclass(frozen=True)
class StepDefinition:
    """One step: the kind of operation it uses, and when, how often and with what.

    `tolerate` names error codes that mean there was nothing to do, such as NOT_FOUND for a deletion: such a step is
    skipped, not failed. `outcomes` says how a needed step must have ended where that is not success. `grows` tells
    whether the number of its operations depends on earlier results.
    """

    name: str
    uses: str
    given: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    max_parallel: int | str | None = None
    for_each: Any = None
    when: Any = None
    attempts: int = 1
    delay_seconds: float = 0
    timeout: float | None = None
    tolerate: tuple[str, ...] = ()
    grows: bool = False

    @property
    def is_many(self) -> bool:
        """Tell whether it stands for one operation an item."""
        return self.for_each is not None

    @property
    def handles_failure(self) -> bool:
        """Tell whether it may begin although a step that it needs has failed."""
        return bool(self.outcomes)


@dataclass(frozen=True)
class Definition:
    """A workflow: parameters, steps in an order that respects their needs, outputs, and what a failure leads to.

    `target` names what it changes; `effect` is what that does to the target: create, change or delete. `permissions`
    are asked of whoever submits it, besides `workflow_submit` and those of the steps that delete.
    """

    title: str
    steps: tuple[StepDefinition, ...]
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    effect: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    on_failure: str = "rollback"
    max_parallel: int | str | None = None
    permissions: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def by_name(self) -> dict[str, StepDefinition]:
        """The steps by name."""
        return {step.name: step for step in self.steps}

    @cached_property
    def grows(self) -> bool:
        """Whether the number of its operations depends on earlier results."""
        return any(step.grows for step in self.steps)

    def step_named(self, name: str) -> StepDefinition:
        """Return the step of an operation, whose name may end with an index."""
        return self.by_name[name.partition("[")[0]]


def parse(raw: Any) -> Definition:
    """Return the definition that plain data describes. Raises DefinitionError, naming the place."""
    check(raw)
    return build(raw)


def build(raw: Mapping[str, Any]) -> Definition:
    """Return the definition that checked data describes."""
    return Definition(
        title=raw["title"],
        description=raw.get("description", "").strip(),
        parameters={"type": "object", "additionalProperties": False, **raw.get("parameters", {})},
        target=raw.get("target", ""),
        effect=raw.get("effect", ""),
        steps=tuple(parse_step(step) for step in in_order(raw["steps"])),
        outputs=raw.get("outputs", {}),
        on_failure=raw.get("on_failure", "rollback"),
        max_parallel=raw.get("max_parallel"),
        permissions=tuple(raw.get("permissions", ())),
        raw=raw,
    )


@lru_cache(maxsize=64)
def pinned(text: bytes) -> Definition:
    """Return the definition that was pinned to a workflow as JSON, having been checked then."""
    return build(orjson.loads(text))


def parse_step(raw: Mapping[str, Any]) -> StepDefinition:
    """Return one step, its shape already checked."""
    retry = raw.get("retry", {})
    uses, given = action_of(raw)
    needs = raw.get("needs", ())
    outcomes = {need_name(need): need.get("outcome", "success") for need in needs if isinstance(need, dict)}
    return StepDefinition(
        name=raw["name"],
        uses=uses,
        given=given,
        needs=tuple(needs_of(raw)),
        outcomes={name: outcome for name, outcome in outcomes.items() if outcome != "success"},
        max_parallel=raw.get("max_parallel"),
        for_each=raw.get("for_each"),
        when=raw.get("when"),
        attempts=retry.get("attempts", 1),
        delay_seconds=retry.get("delay_seconds", 0),
        timeout=raw.get("timeout"),
        tolerate=tuple(raw.get("tolerate", ())),
        grows=bool(steps_read(raw.get("for_each"))),
    )


def action_of(raw: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the kind of operation that a step uses, and its input as it is written."""
    if "workflow" in raw:
        return RUN, {"workflow_type": raw["workflow"], "parameters": raw.get("with", {})}
    if "approve" in raw:
        return APPROVE, raw["approve"]
    if "wait" in raw:
        return WAIT, raw["wait"]
    return raw["uses"], raw.get("with", {})


def in_order(steps: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the steps so that each comes after those it needs, otherwise as they were written.

    They are placed in rounds: in each, in the order of the text, those whose needs are placed. A need that is written
    later takes a step to the next round.
    """
    places = {step["name"]: place for place, step in enumerate(steps)}
    rounds: dict[str, int] = {}
    for name in TopologicalSorter({step["name"]: needs_of(step) for step in steps}).static_order():
        needs = needs_of(steps[places[name]])
        rounds[name] = max((rounds[need] + (places[need] > places[name]) for need in needs), default=0)
    return sorted(steps, key=lambda step: rounds[step["name"]])
