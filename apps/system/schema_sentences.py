"""What breaks a JSON Schema, said in sentences of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.system.work_limit import spend

LETTERS_PER_UNIT = 500
LONGEST, MAX_NAMES = 120, 20
SENTENCES: Mapping[str, str] = {
    "type": "{value} is not of type {rule}",
    "minimum": "{value} is less than the minimum of {rule}",
    "maximum": "{value} is greater than the maximum of {rule}",
    "exclusiveMinimum": "{value} is not greater than {rule}",
    "exclusiveMaximum": "{value} is not less than {rule}",
    "multipleOf": "{value} is not a multiple of {rule}",
    "minLength": "{value} is too short; it needs {rule} characters at least",
    "maxLength": "{value} is too long; it may have {rule} characters at most",
    "minItems": "{value} has too few items; it needs {rule} at least",
    "maxItems": "{value} has too many items; it may have {rule} at most",
    "minProperties": "{value} has too few keys; it needs {rule} at least",
    "maxProperties": "{value} has too many keys; it may have {rule} at most",
    "minContains": "{value} has too few items that fit",
    "maxContains": "{value} has too many items that fit",
    "contains": "{value} has no item that fits, or too few or too many of them",
    "format": "{value} is no {rule}",
    "anyOf": "{value} fits none of the forms that are allowed",
    "oneOf": "{value} does not fit exactly one of the forms that are allowed",
    "not": "{value} is not allowed",
}


def sentence(keyword: str, rule: Any, value: Any) -> str:
    """Say that a value breaks a keyword of a schema, without a full stop."""
    said = " or ".join(map(shown, rule)) if keyword == "type" and isinstance(rule, list) else shown(rule)
    return SENTENCES.get(keyword, f"{{value}} does not fit {keyword}").format(value=shown(value), rule=said)


def names(found: Iterable[str]) -> str:
    """Return names as a list, quoted, the first of many."""
    every = list(found)
    more = len(every) - MAX_NAMES
    return ", ".join(shown(name) for name in every[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def shown(value: Any, most: int = LONGEST) -> str:
    """Return a value for a sentence, cut."""
    text = repr(value[:most] if isinstance(value, str) else value)
    spend(len(text) // LETTERS_PER_UNIT)
    return text if len(text) <= most else text[:most] + "…"
