"""What a workflow definition says, checked before anything runs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from apps.workflows.errors import DefinitionError, ExpressionError
from apps.workflows.expressions import names_read, steps_read

NAME = r"^[a-z][a-z0-9_]{0,39}$"
GIVEN = {"parameters", "existing", "steps", "range"}
STEP_SHAPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "uses"],
    "properties": {
        "name": {"type": "string", "pattern": NAME},
        "uses": {"type": "string", "pattern": r"^[a-z_]+\.[a-z_]+$"},
        "with": {"type": "object"},
        "needs": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "for_each": {"type": ["string", "array"]},
        "when": {"type": ["string", "boolean"]},
        "retry": {
            "type": "object",
            "additionalProperties": False,
            "required": ["attempts"],
            "properties": {
                "attempts": {"type": "integer", "minimum": 1, "maximum": 20},
                "delay_seconds": {"type": "number", "minimum": 0, "maximum": 86400},
            },
        },
        "timeout": {"type": "number", "exclusiveMinimum": 0},
        "tolerate": {"type": "array", "items": {"type": "string"}},
    },
}
SHAPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "steps"],
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "parameters": {"type": "object"},
        "target": {"type": "string"},
        "effect": {"enum": ["create", "change", "delete"]},
        "steps": {"type": "array", "minItems": 1, "maxItems": 2000, "items": STEP_SHAPE},
        "outputs": {"type": "object"},
        "on_failure": {"enum": ["rollback", "stop", "continue"]},
    },
    "dependentRequired": {"effect": ["target"]},
}
EXPRESSIONS = {"with": {"item", "index"}, "when": {"item", "index"}, "for_each": set()}


@dataclass(frozen=True)
class StepDefinition:
    """One step: the kind of operation it uses, and when, how often and with what.

    `tolerate` names error codes that mean there was nothing to do, such as NOT_FOUND for a deletion: such a step is
    skipped, not failed. `grows` tells whether the number of its operations depends on earlier results.
    """

    name: str
    uses: str
    given: Mapping[str, Any]
    needs: tuple[str, ...] = ()
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


@dataclass(frozen=True)
class Definition:
    """A workflow: parameters, steps in an order that respects their needs, outputs, and what a failure leads to.

    `target` names what it changes; `effect` is what that does to the target: create, change or delete.
    """

    title: str
    steps: tuple[StepDefinition, ...]
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    effect: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    on_failure: str = "rollback"
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def parse(raw: Any) -> Definition:
    """Return the definition that plain data describes. Raises DefinitionError, naming the place."""
    check_shape(raw)
    check_parameters(raw.get("parameters", {}))
    check_needs(raw["steps"])
    check_expressions(raw)
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
        raw=raw,
    )


@lru_cache(maxsize=64)
def pinned(text: bytes) -> Definition:
    """Return the definition that was pinned to a workflow as JSON, having been checked then."""
    return build(orjson.loads(text))


def parse_step(raw: Mapping[str, Any]) -> StepDefinition:
    """Return one step, its shape already checked."""
    retry = raw.get("retry", {})
    return StepDefinition(
        name=raw["name"],
        uses=raw["uses"],
        given=raw.get("with", {}),
        needs=tuple(raw.get("needs", ())),
        for_each=raw.get("for_each"),
        when=raw.get("when"),
        attempts=retry.get("attempts", 1),
        delay_seconds=retry.get("delay_seconds", 0),
        timeout=raw.get("timeout"),
        tolerate=tuple(raw.get("tolerate", ())),
        grows=bool(steps_read(raw.get("for_each"))),
    )


def check_shape(raw: Any) -> None:
    """Refuse unknown and missing keys and wrong types. Raises DefinitionError."""
    fault = best_match(Draft202012Validator(SHAPE).iter_errors(raw))
    if fault is not None:
        place = ".".join(str(key) for key in fault.absolute_path)
        raise DefinitionError(f"{place + ': ' if place else ''}{fault.message}")


def check_parameters(schema: Mapping[str, Any]) -> None:
    """Refuse parameters that are no JSON Schema. Raises DefinitionError."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise DefinitionError(f"parameters: {error.message}") from error


def check_needs(steps: list[Mapping[str, Any]]) -> None:
    """Refuse names given twice, needs that are no steps, and cycles. Raises DefinitionError."""
    names = [step["name"] for step in steps]
    for name, count in Counter(names).items():
        if count > 1:
            raise DefinitionError(f"steps: {count} are named {name}")
    for step in steps:
        unknown = sorted(set(step.get("needs", ())) - set(names))
        if unknown:
            raise DefinitionError(f"step {step['name']}: it needs {', '.join(unknown)}, and there is no such step")
    try:
        TopologicalSorter({step["name"]: step.get("needs", ()) for step in steps}).prepare()
    except CycleError as error:
        raise DefinitionError(f"steps: they need each other in a circle: {' → '.join(error.args[1])}") from error


def in_order(steps: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the steps so that each comes after those it needs, otherwise as they were written."""
    waiting, placed, ordered = list(steps), set(), []
    while waiting:
        for step in waiting:
            if placed.issuperset(step.get("needs", ())):
                ordered.append(step)
                placed.add(step["name"])
        waiting = [step for step in waiting if step["name"] not in placed]
    return ordered


def check_expressions(raw: Mapping[str, Any]) -> None:
    """Refuse expressions that cannot be parsed, or read what will not be there. Raises DefinitionError."""
    needs = {step["name"]: set(step.get("needs", ())) for step in raw["steps"]}
    for step in raw["steps"]:
        for key, extra in EXPRESSIONS.items():
            place, names = f"step {step['name']}: {key}", GIVEN | (extra if "for_each" in step else set())
            read = check_reads(place, step.get(key), names)
            strange = read - needs[step["name"]]
            strange = strange and strange - all_needs(step["name"], needs)
            if strange:
                raise DefinitionError(f"{place}: it reads step {', '.join(sorted(strange))} without needing it")
    check_reads("target", raw.get("target"), {"parameters"})
    unknown = check_reads("outputs", raw.get("outputs"), GIVEN) - set(needs)
    if unknown:
        raise DefinitionError(f"outputs: there is no step {', '.join(sorted(unknown))}")


def check_reads(place: str, value: Any, names: set[str]) -> set[str]:
    """Refuse a value whose expressions read other names; return the steps they read. Raises DefinitionError."""
    try:
        steps, unknown = steps_read(value), names_read(value) - names
    except ExpressionError as error:
        raise DefinitionError(f"{place}: {error}") from error
    if unknown:
        raise DefinitionError(f"{place}: unknown name {', '.join(sorted(unknown))}")
    return steps


def all_needs(name: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Return the step's needs, theirs, and so on."""
    reached: set[str] = set()
    waiting = set(needs[name])
    while waiting:
        reached |= waiting
        waiting = {further for step in waiting for further in needs[step]} - reached
    return reached
