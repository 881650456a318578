"""What expressions make of secrets, such as the same in capital letters: it is secret too. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.system.hidden_values import HiddenValues, is_number, texts_in
from apps.workflows.definition import Definition
from apps.workflows.definition_checks import leaves
from apps.workflows.errors import ExpressionError, TooManySecrets
from apps.workflows.expressions import Path, evaluate, sources, values_read
from apps.workflows.step_graph import StepGraph, StepState

MAX_DERIVED = 200


def derived_secrets(
    definition: Definition, given: Mapping[str, Any], hidden: HiddenValues, *, refuse_many: bool = False
) -> list[str]:
    """Return the first `MAX_DERIVED` texts that expressions make of secret values, as far as these are known yet.

    Those in which a secret itself is found are left out, for it is hidden there. Raises TooManySecrets where there are
    more, if those are to be refused.
    """
    found: dict[str, None] = {}
    for text in derived_in_steps(definition, given, hidden) if hidden.forms else ():
        if len(found) == MAX_DERIVED and text not in found:
            if refuse_many:
                raise TooManySecrets(most=MAX_DERIVED, field="parameters")
            break
        found[text] = None
    return list(found)


def derived_in_steps(definition: Definition, given: Mapping[str, Any], hidden: HiddenValues) -> Iterator[str]:
    """Yield the derived texts in the inputs of steps, and in the outputs."""
    states: dict[str, StepState] = {}
    graph = StepGraph(definition, given, states)
    for one in graph.everything():
        try:
            names = graph.names(one)
            states[one.name] = StepState(one.name, input=graph.input(one))
        except ExpressionError:  # not known yet, or refused elsewhere
            pass
        else:
            yield from derived_in([one.step.for_each, dict(one.step.given)], names, hidden)
    yield from derived_in(dict(definition.outputs), graph.base, hidden)


def derived_in(value: Any, names: Mapping[str, Any], hidden: HiddenValues) -> Iterator[str]:
    """Yield the derived texts of the expressions in a value."""
    for source in sources(value):
        read = values_read(source)
        values = [value_at(path, names) for path in read.paths]
        if any(is_secret(value, hidden) for value in values):
            plain = {*read.constants, *texts_in(values)}
            made = (leaf for leaf in made_by(source, names) if isinstance(leaf, str) or is_number(leaf))
            yield from (str(leaf) for leaf in made if str(leaf) not in plain and not hides(hidden, leaf))


def made_by(source: str, names: Mapping[str, Any]) -> list[Any]:
    """Return the values in what an expression gives; none where it fails."""
    try:
        return [leaf for _, leaf in leaves(evaluate(source, names), ())]
    except ExpressionError:
        return []


def value_at(path: Path, names: Any) -> Any:
    """Return the value at a path, or the text on the way whose method or character is read; None where nothing is."""
    for key in path:
        if isinstance(names, str):
            break
        try:
            names = names[key]
        except (LookupError, TypeError):
            return None
    return names


def is_secret(value: Any, hidden: HiddenValues) -> bool:
    """Tell whether a value is secret: a text or number that is hidden, or a list or object of nothing else."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return bool(value) and all(is_secret(item, hidden) for item in value)
    return hides(hidden, value)


def hides(hidden: HiddenValues, value: Any) -> bool:
    """Tell whether a secret is found in a value."""
    return bool(hidden.hide(value) != value)
