"""Strict input: no coercion, no unknown fields, no control characters."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from apps.system.errors import NotFound

CONTROL = "Must not contain control characters."


def has_control(text: str, allowed: str = "") -> bool:
    """Tell whether the text holds a control or surrogate character."""
    return any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text)


class Text(serializers.CharField):
    """A JSON string: not a number, not trimmed, without control characters, 255 characters at most unless said so."""

    allowed = ""

    def __init__(self, **options: Any):
        options.setdefault("trim_whitespace", False)
        options.setdefault("max_length", 255)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        """Return the string as it came. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        if has_control(data, self.allowed):
            raise serializers.ValidationError(CONTROL)
        return data


class Lines(Text):
    """A JSON string of several lines; tabs may be in it too."""

    allowed = "\n\r\t"


class Moment(serializers.DateTimeField):
    """An ISO 8601 time; one without an offset is UTC, parts of a second are dropped."""

    def to_internal_value(self, data: Any) -> datetime:
        """Return the time. Raises ValidationError."""
        return super().to_internal_value(data).replace(microsecond=0)


class Flag(serializers.BooleanField):
    """A JSON true or false, nothing that merely looks like one."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag as it came. Raises ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Object(serializers.DictField):
    """A JSON object of anything; its texts may hold line breaks and tabs, no other control characters."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object as it came. Raises ValidationError."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if holds_control(data):
            raise serializers.ValidationError(CONTROL)
        return data


def holds_control(value: Any) -> bool:
    """Look for control characters anywhere in a JSON value."""
    if isinstance(value, dict):
        return any(has_control(key) or holds_control(item) for key, item in value.items())
    if isinstance(value, list):
        return any(holds_control(item) for item in value)
    return isinstance(value, str) and has_control(value, allowed="\n\r\t")


class Input(serializers.Serializer):
    """A request body: every field that is not declared is refused, so that a typo never acts."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the values. Raises ValidationError naming unknown fields together with the invalid ones."""
        if not isinstance(data, dict) or isinstance(data, QueryDict):
            return super().to_internal_value(data)
        unknown = {
            key: ["Unknown field; known are: " + (", ".join(self.fields) or "none") + "."]
            for key in data
            if key not in self.fields
        }
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values


class Nothing(Input):
    """The body of a request that takes none."""


def valid(shape: type[serializers.Serializer], request: Any, *, partial: bool = False) -> dict[str, Any]:
    """Return the request's body in the given shape. Raises ValidationError (400).

    With `partial`, fields may be missing: what is wrong in a body is told before the id in the path is looked at, what
    is missing after it.
    """
    serializer = shape(data=request.data, partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def check_id(what: str, given: str, pattern: Any) -> str:
    """Return a well-formed id. Raises NotFound for any other: a malformed id is simply one that is not there."""
    if not pattern.fullmatch(given):
        raise NotFound(what=what, id=given[:60] if given.isprintable() else "of that form")
    return given


def check_query(request: Any, known: set[str]) -> None:
    """Hold a query to parameters that something reads, each given once, with a value. Raises ValidationError (400)."""
    hint = "Unknown parameter; known are: " + (", ".join(sorted(known)) or "none") + "."
    faults = {
        name: [fault_of(values) if name in known else hint]
        for name, values in request.query_params.lists()
        if name not in known or fault_of(values)
    }
    if faults:
        raise serializers.ValidationError(faults)


def fault_of(values: list[str]) -> str:
    """Say what is wrong with the values of a query parameter, if anything is."""
    if len(values) > 1:
        return "Give it once."
    if has_control(values[0]):
        return CONTROL
    return "" if values[0].strip() else "Give it a value, or leave it out."
