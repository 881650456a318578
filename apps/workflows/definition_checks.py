"""The checks of a workflow definition that its JSON Schema cannot make, each naming the place. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from apps.workflows.definition_schema import ACTIONS, NAME, SHAPE
from apps.workflows.errors import DefinitionError, ExpressionError, raise_faults
from apps.workflows.expressions import Path, is_template, only_name, reads, sources

MAX_MANY = 50  # steps that stand for many operations
GIVEN = {"parameters", "existing", "steps", "range"}
REFERENCES = {"$ref", "$dynamicRef", "$schema", "$id"}  # others would be looked up, even over the network
OTHERS = {"additionalProperties", "patternProperties"}  # which may allow parameters that `properties` does not name
RawSteps = list[Mapping[str, Any]]
# The keys of a step whose values may hold expressions, and the names that they may read besides GIVEN.
EXPRESSIONS = {
    "with": {"item", "index"},
    "approve": {"item", "index"},
    "wait": {"item", "index"},
    "when": {"item", "index"},
    "workflow": {"item", "index"},
    "for_each": set[str](),
}


def check(raw: Any) -> None:
    """Refuse what is no definition. Raises DefinitionError, with what else is wrong as far as that can be told."""
    raise_faults(shape_faults(raw))
    steps = list(enumerate(raw["steps"]))
    checks: list[Callable[[], object]] = [partial(check_parameters, raw.get("parameters", {}))]
    checks += [partial(check_action, *each) for each in steps]
    checks += [partial(check_many, raw["steps"]), partial(check_needs, raw["steps"])]
    raise_faults(faults_found(checks))
    raise_faults(faults_found(expression_checks(raw)))


def faults_found(checks: Iterable[Callable[[], object]]) -> Iterator[DefinitionError]:
    """Make the checks, and yield the fault that each finds."""
    for check in checks:
        try:
            check()
        except DefinitionError as fault:
            yield fault


def shape_faults(raw: Any) -> Iterator[DefinitionError]:
    """Yield unknown and missing keys and wrong types."""
    from apps.system.json_schema import Validator, best_match

    for error in Validator(SHAPE).iter_errors(raw):
        yield shape_fault(best_match([error]))


def shape_fault(fault: Any) -> DefinitionError:
    """Return what breaks the format's schema, with what to do."""
    path: Path = tuple(fault.absolute_path)
    place = ".".join(str(key) for key in path)
    broken: Any = fault.schema
    hint = shape_hint(fault.validator, broken)
    if fault.validator == "additionalProperties" and isinstance(fault.instance, dict):
        known = list(broken.get("properties", {}))
        unknown = next((key for key in fault.instance if key not in known), "")
        path, hint = (*path, unknown), suggestion(unknown, known)
    return DefinitionError(f"{place + ': ' if place else ''}{fault.message}", path=path, hint=hint)


def shape_hint(broken: Any, schema: Mapping[str, Any]) -> str:
    """Say how to write what breaks a keyword of the format's schema."""
    if broken == "type" and "properties" in schema:
        return f"Write keys and values; its keys are {', '.join(schema['properties'])}."
    if broken == "type" and schema["type"] == "array":
        return "Write a list."
    if broken == "pattern" and schema["pattern"] == NAME:
        return "Use 1 to 40 lower-case letters, digits and underscores, a letter first."
    return ""


def check_parameters(schema: Mapping[str, Any]) -> None:
    """Refuse parameters that are no JSON Schema, and one that is required and could never be given."""
    from apps.system.json_schema import SchemaError, check_schema

    try:
        check_schema(schema)
    except SchemaError as error:
        path = ("parameters", *error.absolute_path)
        hint = "Write a JSON Schema: `properties`, and `required` for those that must be given."
        if path[-1] == "type":
            hint = "A type is array, boolean, integer, null, number, object or string, or a list of these."
        raise DefinitionError(f"parameters: {error.message[:500]}", path=path, hint=hint) from error
    for index, name in enumerate(schema.get("required", ())):
        if name not in schema.get("properties", {}) and not schema.keys() & OTHERS:
            hint = "Describe it under `properties`."
            path = ("parameters", "required", index)
            raise DefinitionError(f"parameters: {name} is required, and not declared", path=path, hint=hint)
    known = [f"#/$defs/{name}" for name in schema.get("$defs", {}) if re.fullmatch(r"[\w.-]+", name, re.ASCII)]
    for path, value in leaves(schema, ("parameters",)):
        if path[-1] in REFERENCES and value not in known:
            hint = f"Refer to one of its own $defs; there are: {', '.join(known[:20]) or 'none'}."
            raise DefinitionError(f"parameters: it refers to {str(value)[:100]}", path=path, hint=hint)


def check_action(index: int, step: Mapping[str, Any]) -> None:
    """Refuse a step that does nothing, or two things."""
    found = [action for action in ACTIONS if action in step]
    if len(found) != 1:
        has = f"has {' and '.join(found)}" if found else "has none of them"
        hint = f"Give it exactly one of {', '.join(ACTIONS)}."
        raise DefinitionError(f"step {step['name']}: it {has}", path=("steps", index), hint=hint)
    for key in ("approve", "wait"):
        if key in step and "with" in step:
            hint = f"Write its input under `{key}`."
            raise DefinitionError(
                f"step {step['name']}: {key} takes no `with`", path=("steps", index, "with"), hint=hint
            )


def check_many(steps: RawSteps) -> None:
    """Refuse too many steps that stand for many operations."""
    many = [index for index, step in enumerate(steps) if "for_each" in step]
    if len(many) > MAX_MANY:
        text, path = f"more than {MAX_MANY} steps have for_each", ("steps", many[MAX_MANY], "for_each")
        raise DefinitionError(text, path=path, hint="Split it into several workflows.")


def need_name(need: Any) -> str:
    """Return the name of a needed step, whichever way it is written."""
    return need if isinstance(need, str) else need["step"]


def needs_of(step: Mapping[str, Any]) -> list[str]:
    """Return the names of the steps that a step needs."""
    return [need_name(need) for need in step.get("needs", ())]


def check_needs(steps: RawSteps) -> None:
    """Refuse names given twice, needs that are no steps, and cycles."""
    first: dict[str, int] = {}
    names = [step["name"] for step in steps]
    for index, name in enumerate(names):
        if name in first:
            text = f"steps: {names.count(name)} are named {name}"
            raise DefinitionError(text, path=("steps", index, "name"), hint="Give each a name of its own.")
        first[name] = index
    for index, step in enumerate(steps):
        check_need(index, step, first)
    try:
        TopologicalSorter({step["name"]: needs_of(step) for step in steps}).prepare()
    except CycleError as error:
        circle = error.args[1]
        text = f"steps: they need each other in a circle: {' → '.join(circle)}"
        hint = "Remove one of these needs."
        raise DefinitionError(text, path=("steps", first[circle[0]], "needs"), hint=hint) from error


def check_need(index: int, step: Mapping[str, Any], known: Mapping[str, int]) -> None:
    """Refuse needs that are no steps, and one that is named twice."""
    seen: set[str] = set()
    for place, name in enumerate(needs_of(step)):
        path = ("steps", index, "needs", place)
        if name not in known:
            text = f"step {step['name']}: it needs {name}, and there is no such step"
            raise DefinitionError(text, path=path, hint=suggestion(name, list(known)))
        if name in seen:
            hint = "Name it once, with one outcome."
            raise DefinitionError(f"step {step['name']}: it needs {name} twice", path=path, hint=hint)
        seen.add(name)


# ── expressions ───────────────────────────────────────────────────────────────────────────────────────────────────────
def expression_checks(raw: Mapping[str, Any]) -> Iterator[Callable[[], object]]:
    """Yield checks of expressions: they can be parsed, read what will be there, and are of the right type."""
    ancestors = Ancestors(raw["steps"])
    parameters = raw.get("parameters", {})
    for index, step in enumerate(raw["steps"]):
        yield partial(check_step_expressions, index, step, ancestors, raw)
        yield partial(check_types, index, step, parameters)
        place, path = f"step {step['name']}: max_parallel", ("steps", index, "max_parallel")
        yield partial(check_reads, place, step.get("max_parallel"), {"parameters"}, raw, path)
    for key in ("max_parallel", "target"):
        yield partial(check_reads, key, raw.get(key), {"parameters"}, raw, (key,))
    yield partial(check_outputs, ancestors, raw)


def check_outputs(ancestors: Ancestors, raw: Mapping[str, Any]) -> None:
    """Refuse outputs that read steps which are not there."""
    unknown = check_reads("outputs", raw.get("outputs"), GIVEN, raw, ("outputs",)) - set(ancestors.names)
    if unknown:
        name = sorted(unknown)[0]
        hint = suggestion(name, ancestors.names)
        raise DefinitionError(f"outputs: there is no step {', '.join(sorted(unknown))}", path=("outputs",), hint=hint)


def check_step_expressions(index: int, step: Mapping[str, Any], ancestors: Ancestors, raw: Mapping[str, Any]) -> None:
    """Refuse a step's expressions that read a name or a step that will not be there."""
    for key, extra in EXPRESSIONS.items():
        place, names = f"step {step['name']}: {key}", GIVEN | (extra if "for_each" in step else set())
        for path, value in leaves(step.get(key), ("steps", index, key)):
            if not isinstance(value, str) or not is_template(value):
                continue
            read = check_reads(place, value, names, raw, path)
            if strange := ancestors.strange(step["name"], read):
                name, known = strange[0], ancestors.names
                hint = f"Add {name} to its needs." if name in ancestors.bits else suggestion(name, known)
                text = f"{place}: it reads step {', '.join(strange)} without needing it"
                raise DefinitionError(text, path=path, hint=hint)


def leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the values inside a value, each with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def check_reads(place: str, value: Any, names: set[str], raw: Mapping[str, Any], path: Path) -> set[str]:
    """Refuse a value whose expressions read other names; return the steps they read."""
    try:
        found = [reads(source) for source in sources(value)]
    except ExpressionError as error:
        hint = "Write an expression of Jinja2 between {{ and }}."
        raise DefinitionError(f"{place}: {error}", path=path, hint=hint) from error
    steps = {step for each in found for step in each.steps}
    read = {name for each in found for name in each.names}
    parameters = {key for each in found for key in each.keys.get("parameters", ())}
    unknown = read - names
    if unknown:
        name = sorted(unknown)[0]
        text = f"{place}: unknown name {', '.join(sorted(unknown))}"
        raise DefinitionError(text, path=path, hint=suggestion(name, sorted(names)))
    schema = raw.get("parameters", {})
    declared = schema.get("properties", {})
    missing = sorted(parameters - set(declared))
    if missing and not schema.get("additionalProperties"):
        text = f"{place}: there is no parameter {', '.join(missing)}"
        raise DefinitionError(text, path=path, hint=suggestion(missing[0], list(declared)))
    if "existing" in read and raw.get("effect") not in ("change", "delete"):
        hint = "Only a definition with `effect: change` or `effect: delete` has `existing`."
        raise DefinitionError(f"{place}: there is nothing existing", path=path, hint=hint)
    return steps


def check_types(index: int, step: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse a parameter of another type where a list, a truth value or a number is needed."""
    for key, expected in (("for_each", "array"), ("when", "boolean"), ("max_parallel", "integer")):
        name = only_name(step.get(key), "parameters")
        rule = parameters.get("properties", {}).get(name)
        kind = rule.get("type") if isinstance(rule, dict) else None
        if isinstance(kind, str) and kind != expected:
            text = f"step {step['name']}: {key} needs {expected}, and parameter {name} is {kind}"
            hint = f"Declare {name} as `type: {expected}`, or write another expression."
            raise DefinitionError(text, path=("steps", index, key), hint=hint)


class Ancestors:
    """The needs of each step, theirs, and so on: as bits, for 2,000 steps can have millions."""

    def __init__(self, steps: RawSteps) -> None:
        """Work them out; the steps need each other in no circle."""
        needs = {step["name"]: needs_of(step) for step in steps}
        self.names = list(needs)
        self.bits = {name: 1 << place for place, name in enumerate(self.names)}
        self.reached: dict[str, int] = {}
        for name in TopologicalSorter(needs).static_order():
            self.reached[name] = 0
            for need in needs[name]:
                self.reached[name] |= self.bits[need] | self.reached[need]

    def strange(self, step: str, read: set[str]) -> list[str]:
        """Return, sorted, which of some names are no steps that a step needs."""
        return sorted(name for name in read if not self.reached[step] & self.bits.get(name, 0))


def suggestion(name: Any, known: list[str]) -> str:
    """Say which known name was probably meant, and which there are."""
    near = get_close_matches(str(name)[:60], [each for each in known if len(each) <= 60][:500], n=1)
    names = ", ".join(each[:60] for each in known[:20]) or "none"
    return f"Did you mean {near[0]}?" if near else f"Known are: {names}."
