"""Secret parameters of workflows: what is shown or logged has their values hidden, wherever they turn up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apps.system.hidden_values import SHORTEST, HiddenValues, is_number
from apps.system.redaction import HIDDEN, SECRET_NAME, redact


class Secrets:
    """Hides the values of parameters that are declared secret, by `writeOnly`, or have the name of a secret."""

    def __init__(
        self, schema: Mapping[str, Any], parameters: Mapping[str, Any] | None, further: Iterable[Iterable[Any]] = ()
    ) -> None:
        """Take the parameters that the schema is about, and lists of further secret values."""
        self.schema = schema
        self.values = HiddenValues(secret_values(schema, parameters or {})).and_also(*further)

    def and_also(self, values: Iterable[Any]) -> Secrets:
        """Return what hides these and further secret values."""
        more = Secrets(self.schema, None)
        more.values = self.values.and_also(values)
        return more

    def hide(self, value: Any) -> Any:
        """Return a value with the secrets in it hidden, keeping its shape."""
        return self.values.hide(redact(value))

    def hide_text(self, text: str) -> str:
        """Return a text with the secrets in it hidden."""
        return self.values.hide_text(text)

    def hide_parameters(self, parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return parameters with the secrets hidden whatever their type and length."""
        return None if parameters is None else self.hide(without_secrets(self.schema, parameters))


def is_secret(name: str, rule: Any) -> bool:
    """Tell whether a property is secret."""
    return bool(SECRET_NAME.search(name)) or (isinstance(rule, Mapping) and bool(rule.get("writeOnly")))


def properties_of(schema: Any) -> Mapping[str, Any]:
    """Return the properties that a schema declares."""
    found = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def secret_values(schema: Any, given: Any) -> Iterator[Any]:
    """Yield the values of secret properties, at any depth."""
    if isinstance(given, list):
        for item in given:
            yield from secret_values(schema.get("items", {}) if isinstance(schema, Mapping) else {}, item)
    for name, value in given.items() if isinstance(given, Mapping) else ():
        rule = properties_of(schema).get(name, {})
        if is_secret(name, rule):
            yield [value]
        else:
            yield from secret_values(rule, value)


def short_secrets(schema: Any, given: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of secrets that are too short to be found in texts; numbers count where `writeOnly` is said."""
    if isinstance(given, list):
        items = schema.get("items", {}) if isinstance(schema, Mapping) else {}
        for place, item in enumerate(given):
            yield from short_secrets(items, item, (*path, str(place)))
    for name, value in given.items() if isinstance(given, Mapping) else ():
        rule = properties_of(schema).get(name, {})
        if not is_secret(name, rule):
            yield from short_secrets(rule, value, (*path, name))
        elif has_short(value, with_numbers=isinstance(rule, Mapping) and bool(rule.get("writeOnly"))):
            yield (*path, name)


def has_short(value: Any, *, with_numbers: bool) -> bool:
    """Tell whether a value is, or holds, a text or number of few characters; an empty text is none."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return any(has_short(item, with_numbers=with_numbers) for item in value)
    text = str(value) if isinstance(value, str) or (with_numbers and is_number(value)) else ""
    return 0 < len(text) < SHORTEST


def without_secrets(schema: Any, given: Any) -> Any:
    """Return a value with its secret properties replaced."""
    if isinstance(given, list):
        items = schema.get("items", {}) if isinstance(schema, Mapping) else {}
        return [without_secrets(items, item) for item in given]
    if not isinstance(given, Mapping):
        return given
    rules = properties_of(schema)
    return {
        name: HIDDEN
        if is_secret(name, rules.get(name)) and value not in (None, "")
        else without_secrets(rules.get(name), value)
        for name, value in given.items()
    }
