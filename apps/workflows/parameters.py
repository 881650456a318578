"""Parameters held to a definition's JSON Schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any

from apps.system.errors import MAX_FAULTS, TooMuchWork
from apps.system.hidden_values import SHORTEST
from apps.workflows.errors import BadParameters
from apps.workflows.secrets import short_secrets

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

TOO_SHORT = f"A secret needs at least {SHORTEST} characters, so that it can be hidden wherever it turns up."


def complete(type: str, schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the schema's defaults filled in. Raises BadParameters, with the faults of each."""
    values = with_defaults(schema, given)
    details: dict[str, list[str]] = {}
    for fault in parameter_faults(type, schema, values):
        for place, text in faults(fault, schema):
            texts = details.setdefault(".".join(["parameters", *place]), [])
            texts += [text] if text not in texts else []
    for path in islice(short_secrets(schema, values), MAX_FAULTS):
        details.setdefault(".".join(["parameters", *path]), []).append(TOO_SHORT)
    if details:
        what = "; ".join(f"{place}: {texts[0].rstrip('.')}" for place, texts in details.items())
        raise BadParameters(type=type, what=what[:1000] + ".", details=details)
    return values


def parameter_faults(type: str, schema: Mapping[str, Any], values: dict[str, Any]) -> list[ValidationError]:
    """Return what breaks the schema. Raises BadParameters for a schema that cannot be checked and for huge numbers."""
    from apps.system.json_schema import faults_in

    try:
        return faults_in(schema, values)
    except RecursionError as error:
        what = "the definition's schema of them refers to itself without end."
        raise BadParameters(type=type, what=what, details={"parameters": [what.capitalize()]}) from error
    except OverflowError as error:
        what = "a number is too large."
        raise BadParameters(type=type, what=what, details={"parameters": [what.capitalize()]}) from error
    except (ValueError, TooMuchWork) as error:  # a pattern of an old definition, or a schema of much work
        what = f"{str(error).rstrip('.')}."
        raise BadParameters(type=type, what=what, details={"parameters": [what.capitalize()]}) from error


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
    value: Any = fault.instance
    place = [str(key) for key in fault.absolute_path]
    rule: Any = fault.validator_value
    broken: Any = fault.schema  # the library types a schema as anything
    if fault.validator == "required":
        missing = [name for name in rule if name not in value]
        return [([*place, name], text) for name in missing for text in ["This parameter is required."]]
    if fault.validator == "additionalProperties":
        known = broken.get("properties", {})
        text = f"Unknown parameter; known are: {', '.join(known) or 'none'}."
        unknown = (name for name in value if name not in known)
        return [([*place, name], text) for name in islice(unknown, MAX_FAULTS)]
    allowed = schema.get("properties", {}).get(place[0], {}).get("description", "") if place else ""
    return [(place, f"{fault.message[:200]}. {allowed}".strip())]
