"""Parameters held to a definition's JSON Schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from apps.workflows.errors import BadParameters


def is_whole(checker: Any, value: Any) -> bool:
    """Tell whether a value is an integer as it is written: 3, not 3.0."""
    return isinstance(value, int) and not isinstance(value, bool)


def pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Match as JSON Schema does: its `$` is the very end, Python's lets a line break follow."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


CHECKER = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
Validator = extend(Draft202012Validator, {"pattern": pattern}, type_checker=CHECKER)


def complete(type: str, schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the schema's defaults filled in. Raises BadParameters, with every fault of each."""
    values = with_defaults(schema, given)
    details: dict[str, list[str]] = {}
    for fault in validator(orjson.dumps(schema)).iter_errors(values):
        for place, text in faults(fault, schema):
            texts = details.setdefault(".".join(["parameters", *place]), [])
            texts += [text] if text not in texts else []
    if details:
        what = "; ".join(f"{place}: {texts[0].rstrip('.')}" for place, texts in details.items())
        raise BadParameters(type=type, what=what[:1000] + ".", details=details)
    return values


@lru_cache(maxsize=64)
def validator(schema: bytes) -> Any:
    """Return the validator of a schema."""
    return Validator(orjson.loads(schema))


def with_defaults(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with its properties' defaults filled in, the schema's properties first, at any depth."""
    values: dict[str, Any] = {}
    for name, rule in schema.get("properties", {}).items():
        if name in given:
            value = given[name]
            values[name] = with_defaults(rule, value) if isinstance(value, dict) and isinstance(rule, dict) else value
        elif isinstance(rule, dict) and "default" in rule:
            values[name] = deepcopy(rule["default"])
    return values | {name: value for name, value in given.items() if name not in values}


def faults(fault: ValidationError, schema: Mapping[str, Any]) -> list[tuple[list[str], str]]:
    """Return where something is wrong and a sentence on it, naming what is allowed."""
    place = [str(key) for key in fault.absolute_path]
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return [([*place, name], text) for name in missing for text in ["This parameter is required."]]
    if fault.validator == "additionalProperties":
        known = fault.schema.get("properties", {})
        text = f"Unknown parameter; known are: {', '.join(known) or 'none'}."
        return [([*place, name], text) for name in fault.instance if name not in known]
    allowed = schema.get("properties", {}).get(place[0], {}).get("description", "") if place else ""
    return [(place, f"{fault.message[:200]}. {allowed}".strip())]
