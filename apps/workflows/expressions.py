"""The `{{ … }}` of definitions: sandboxed, typed, strict and bounded; `expression_jinja` runs them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
MARKS = ("{{", "{%", "{#")


def evaluate(value: Any, names: Mapping[str, Any]) -> Any:
    """Return the value with every expression in it evaluated, at any depth. Raises ExpressionError.

    A text that is one expression gives what the expression gives (a number, a list); any other gives text.
    """
    if isinstance(value, dict):
        return {key: evaluate(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, names) for item in value]
    if isinstance(value, str) and is_template(value):
        from apps.workflows.expression_jinja import run  # Jinja takes long to import

        return run(value, names)
    return value


def is_template(text: str) -> bool:
    """Tell whether there is anything to evaluate."""
    return any(mark in text for mark in MARKS)


def sources(value: Any) -> Iterator[str]:
    """Yield every text in the value that has something to evaluate."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from sources(item)
    elif isinstance(value, str) and is_template(value):
        yield value


class Reads(NamedTuple):
    """What a text reads: top names, steps, and the keys of each top name."""

    names: frozenset[str]
    steps: frozenset[str]
    keys: Mapping[str, frozenset[str]]


def steps_read(value: Any) -> set[str]:
    """Return the names of the steps that the value's expressions read. Raises ExpressionError.

    `steps` may only be followed by a step's name, so that what an expression depends on is known before it is run.
    """
    return {name for source in sources(value) for name in reads(source).steps}


def reads(source: str) -> Reads:
    """Return what one text reads. Raises ExpressionError."""
    from apps.workflows.expression_jinja import reads  # Jinja takes long to import

    return reads(source)


def only_name(value: Any, name: str) -> str:
    """Return the key when a text is nothing but `{{ <name>.<key> }}`; empty for any other value."""
    found = re.fullmatch(rf"\{{\{{\s*{name}\.(\w+)\s*\}}\}}", value.strip()) if isinstance(value, str) else None
    return found[1] if found else ""


class ValuesRead(NamedTuple):
    """Where a text reads the values that its result is made of, and its own constants."""

    paths: frozenset[Path]
    constants: frozenset[str]


def values_read(source: str) -> ValuesRead:
    """Return what the result of a text is made of; conditions only choose from that. Raises ExpressionError."""
    from apps.workflows.expression_jinja import values_read  # Jinja takes long to import

    return values_read(source)
