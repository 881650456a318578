"""Strict input: no coercion, no unknown fields, no control characters."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from apps.system.choices import not_one_of
from apps.system.errors import MAX_FAULTS, NotFound

CONTROL = "Must not contain control characters."
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
MAX_VALUES = 5000  # in one object of anything, keys not counted
# What to send, where the REST framework says only what is wrong, in words of Python.
TEXT = "Give a string."
BOOLEAN = "Give true or false, without quotes."
TIME = "Give a time in ISO 8601, such as 2026-11-23T20:31:43Z."
ARRAY = "Give a list, in square brackets."
OBJECT = "Give an object, in curly brackets."


def has_control(text: str, allowed: str = "") -> bool:
    """Tell whether the text holds a control or surrogate character."""
    return any(found[0] not in allowed for found in CONTROLS.finditer(text))


class StrictString(serializers.CharField):
    """A JSON string: not a number, not trimmed, without control characters, 255 characters at most by default.

    `rule` is what its validators ask for, in words of JSON Schema, for the API's own schema.
    """

    default_error_messages = {"invalid": TEXT}
    allowed = ""
    described = r"^[^\x00-\x1f\x7f-\x9f]*$"

    def __init__(self, *, rule: dict[str, Any] | None = None, **options: Any):
        self.rule = rule or {"pattern": self.described}
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


class Sentence(StrictString):
    """A text for people, such as a name or a reason: at least one of its characters can be seen."""

    invisible = r"\x00-\x20\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
    described = rf"^[^\x00-\x1f\x7f-\x9f]*[^{invisible}][^\x00-\x1f\x7f-\x9f]*$"

    def to_internal_value(self, data: Any) -> str:
        """Return the string as it came. Raises ValidationError."""
        text = super().to_internal_value(data)
        if not re.match(self.described, text):
            self.fail("blank")
        return text


class MultilineString(StrictString):
    """A JSON string of several lines; tabs may be in it too."""

    allowed = "\n\r\t"
    described = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


class UTCDateTime(serializers.DateTimeField):
    """An ISO 8601 time; one without an offset is UTC, parts of a second are dropped."""

    default_error_messages = dict.fromkeys(("invalid", "date", "make_aware", "overflow"), TIME)

    def to_internal_value(self, data: Any) -> datetime:
        """Return the time. Raises ValidationError."""
        return super().to_internal_value(data).replace(microsecond=0)


class StrictBoolean(serializers.BooleanField):
    """A JSON true or false, nothing that merely looks like one."""

    default_error_messages = {"invalid": BOOLEAN}

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag as it came. Raises ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Choice(serializers.ChoiceField):
    """A JSON string that is one of a few; a refusal names them."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the value. Raises ValidationError."""
        if not isinstance(data, str) or data not in self.choices:
            raise serializers.ValidationError(not_one_of(data, self.choices), code="invalid_choice")
        return data


class List(serializers.ListField):
    """A JSON array, of at most 1000 items by default; a longer one is refused before its items are validated."""

    default_error_messages = {"not_a_list": ARRAY}

    def __init__(self, **options: Any):
        options.setdefault("max_length", 1000)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the items. Raises ValidationError with the first wrong items, at most `MAX_FAULTS` of them."""
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if not data and not self.allow_empty:
            self.fail("empty")
        return self.run_child_validation(data)

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        """Return the items, each checked. Raises ValidationError."""
        values: list[Any] = []
        faults: dict[Any, Any] = {}
        for index, item in enumerate(data):
            try:
                values.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                faults[index] = error.detail
                if len(faults) == MAX_FAULTS:
                    break
        if faults:
            raise serializers.ValidationError(faults)
        return values


class StrictObject(serializers.DictField):
    """A JSON object of anything, of at most `MAX_VALUES` values at all levels together.

    Its texts may hold line breaks and tabs, no other control characters.
    """

    default_error_messages = {"not_a_dict": OBJECT}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object as it came. Raises ValidationError."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        check_values(data)
        return data


def check_values(value: Any) -> None:
    """Refuse too many values, and control characters in any text or key. Raises ValidationError."""
    pending, count = [value], 0
    while pending:
        item = pending.pop()
        if isinstance(item, dict | list):
            count += len(item)
            if count > MAX_VALUES:
                raise serializers.ValidationError(f"Holds more than {MAX_VALUES} values.")
        if isinstance(item, dict):
            pending += item.values()
            texts, allowed = list(item), ""
        else:
            pending += item if isinstance(item, list) else []
            texts, allowed = ([item] if isinstance(item, str) else []), "\n\r\t"
        if any(has_control(text, allowed) for text in texts):
            raise serializers.ValidationError(CONTROL)


class Input(serializers.Serializer):
    """A request body: every field that is not declared is refused, so that a typo never acts."""

    default_error_messages = {"invalid": OBJECT}

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Treat null as what it is: no object."""
        return super().validate_empty_values("null" if data is None else data)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the values. Raises ValidationError naming unknown fields together with the invalid ones."""
        if not isinstance(data, dict) or isinstance(data, QueryDict):
            return super().to_internal_value(data)
        hint = "Unknown field; known are: " + (", ".join(self.fields) or "none") + "."
        unknown = {key: [hint] for key in islice((key for key in data if key not in self.fields), MAX_FAULTS)}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults: Any = error.detail
            raise serializers.ValidationError({**faults, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values


class EmptyBody(Input):
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
