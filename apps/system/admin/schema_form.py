"""Forms made from JSON Schemas: a field for each property, with its type, default, limits and help."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import orjson
from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.system.admin.display import with_code
from apps.system.admin.facts import in_words
from apps.system.admin.forms import NamesChoices

INPUT = {"class": "c-input", "autocomplete": "off"}
UNCHANGED = "Leave it empty to have it generated, or kept as it is."


JSON_HELP = 'Names and values as JSON, such as {"port": 6380}.'
SIMPLE_PATTERN = re.compile(r"\^\[(?P<letters>[^\]]+)\]\{(?P<least>\d+),(?P<most>\d+)\}\$")
RANGES = {"A-Za-z": "letters", "a-z": "lower-case letters", "A-Z": "capital letters", "0-9": "digits"}


# What is known for properties of a name, such as `zone`: values, each with what it is called where that says more.
Suggestions = Callable[[], Iterable[tuple[str, str]]]
_suggestions: dict[str, Suggestions] = {}


def register_suggestions(name: str, known: Suggestions) -> None:
    """Add what forms suggest for properties of a name; anything else may be typed, too."""
    _suggestions[name] = known


class SchemaForm(NamesChoices, forms.Form):
    """A form for an object; what is left at its default is not given, so that a default may change later.

    With `suggests`, what is known of providers, plans and the like is suggested for properties of these names.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        properties: Mapping[str, Mapping[str, Any]],
        required: Collection[str] = (),
        present: Mapping[str, Any] | None = None,
        prefix: str = "option",
        suggests: bool = False,
    ) -> None:
        super().__init__(data, prefix=prefix)
        self.properties = properties
        for name, schema in properties.items():
            field = field_of(schema, required=name in required)
            field.label = in_words(name)
            default = (present or {}).get(name, schema.get("default"))
            if not schema.get("secret") and default is not None:
                field.initial = shown(default, schema)
            if suggests and name in _suggestions and isinstance(field.widget, forms.TextInput):
                field.widget.attrs["list"] = f"{prefix}-{name}-known"
                field.suggestions = list(_suggestions[name]())  # type: ignore[attr-defined]
            self.fields[name] = field

    def given(self) -> dict[str, Any]:
        """Return what differs from the defaults."""
        values = {}
        for name, schema in self.properties.items():
            value = self.cleaned_data.get(name)
            if value in (None, "", []) and schema.get("type") != "boolean":
                continue
            if value != schema.get("default"):
                values[name] = value
        return values


def pattern_text(pattern: str) -> str:
    """Say what a simple pattern allows, such as `16 to 128 letters, digits, _ or -`; nothing of any other."""
    found = SIMPLE_PATTERN.search(pattern)
    if found is None:
        return ""
    rest, parts = found["letters"], []
    for span, words in RANGES.items():
        if span in rest:
            parts.append(words)
            rest = rest.replace(span, "")
    parts += list(rest.replace("\\", ""))
    several = f"{', '.join(parts[:-1])} or {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{found['least']} to {found['most']} {several}"


def help_of(schema: Mapping[str, Any]) -> SafeString:
    """Return what a property's description and pattern say; words between backticks are set as code."""
    allowed, form = pattern_text(schema.get("pattern", "")), JSON_HELP if schema.get("type") == "object" else ""
    parts = [schema.get("description", ""), f"It has {allowed}." if allowed else "", form]
    return with_code(" ".join(filter(None, parts)))


def field_of(schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    """Return the field for a property."""
    about = help_of(schema)
    options: dict[str, Any] = {"required": required, "help_text": about}
    if schema.get("secret"):
        widget = forms.PasswordInput(INPUT | {"autocomplete": "new-password"}, render_value=False)
        help_text = about if required else format_html("{} {}", about, UNCHANGED)
        options |= {"help_text": help_text, "widget": widget}
        return forms.CharField(**options) if schema.get("type") in (None, "string") else forms.JSONField(**options)
    if "enum" in schema:
        choices = [(value, str(value)) for value in schema["enum"]]
        return forms.TypedChoiceField(**options, choices=choices, widget=forms.Select(INPUT))
    match schema.get("type"):
        case "boolean":
            return forms.BooleanField(**options | {"required": False})
        case "integer":
            limits: dict[str, Any] = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum")}
            return forms.IntegerField(**options, **limits, widget=forms.NumberInput(INPUT))
        case "number":
            return forms.FloatField(**options, widget=forms.NumberInput(INPUT | {"step": "any"}))
        case "array":
            return Lines(**options, items=schema.get("items", {}), widget=forms.Textarea(INPUT | {"rows": 3}))
        case "object":
            return forms.JSONField(**options, widget=forms.Textarea(INPUT | {"rows": 4}))
    length = schema.get("maxLength")
    if length is None or length > 500:
        return forms.CharField(**options, max_length=length, widget=forms.TextInput(INPUT))
    return forms.CharField(**options, max_length=length, widget=forms.TextInput(INPUT))


class Lines(forms.CharField):
    """A list, one item a line; items that are no texts are JSON."""

    def __init__(self, *, items: Mapping[str, Any], **options: Any) -> None:
        self.items = items
        options["help_text"] = format_html("{} One per line.", options.get("help_text", ""))
        super().__init__(**options)

    def clean(self, value: Any) -> list[Any]:
        """Return the items. Raises ValidationError."""
        lines = [line.strip() for line in (super().clean(value) or "").splitlines() if line.strip()]
        if self.items.get("type") in (None, "string"):
            return lines
        try:
            return [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError:
            raise forms.ValidationError("Give one JSON value per line.") from None


def shown(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value as its field shows it."""
    if schema.get("type") == "array" and isinstance(value, list):
        return "\n".join(item if isinstance(item, str) else orjson.dumps(item).decode() for item in value)
    return value
