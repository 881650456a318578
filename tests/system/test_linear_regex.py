"""Patterns and schemas that clients write: matched in linear time, their work counted and limited."""

import signal
from contextlib import contextmanager

import pytest
from jsonschema import SchemaError

from apps.system.errors import TooMuchWork
from apps.system.json_schema import Validator, check_schema, faults_in
from apps.system.linear_regex import found

LONG = "x" * 900_000
CATASTROPHIC = "^(a+)+$"
NEAR = "a" * 60 + "!"


@contextmanager
def ended_soon():
    """Let what would take for ever fail instead of hang."""

    def give_up(*_):
        raise TimeoutError("It takes for ever.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": CATASTROPHIC}, NEAR),
        ({"items": {"pattern": CATASTROPHIC}}, [NEAR]),
        ({"propertyNames": {"pattern": CATASTROPHIC}}, {NEAR: 1}),
        ({"patternProperties": {CATASTROPHIC: {}}, "additionalProperties": False}, {NEAR: 1}),
        ({"anyOf": [{"pattern": CATASTROPHIC}, {"not": {"pattern": "!$"}}]}, NEAR),
        ({"$defs": {"a": {"pattern": CATASTROPHIC}}, "$ref": "#/$defs/a"}, NEAR),
    ],
)
def test_a_pattern_that_backtracks_without_end_is_matched_at_once(schema, value):
    check_schema(schema)
    with ended_soon():
        assert faults_in(schema, value)


@pytest.mark.parametrize(("pattern", "text", "fits"), [("^a$", "a\n", False), ("b", "abc", True), ("^ä+$", "ää", True)])
def test_it_finds_what_json_schema_finds(pattern, text, fits):
    assert found(pattern, text) is fits


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {"pattern": "(?=a)"}}}, ["properties", "a", "pattern"]),
        ({"items": {"pattern": r"(a)\1"}}, ["items", "pattern"]),
        ({"anyOf": [{}, {"patternProperties": {"(": {}}}]}, ["anyOf", 1, "patternProperties"]),
        ({"pattern": "a" * 1000}, ["pattern"]),
        ({"pattern": r"\pL{0,900}"}, ["pattern"]),
        ({"allOf": [{"unevaluatedProperties": False}]}, ["allOf", 0, "unevaluatedProperties"]),
        ({"properties": {"a": {"$schema": "x"}}}, ["properties", "a", "$schema"]),
        ({"properties": {"a": {"type": "text"}}}, ["properties", "a", "type"]),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_no_schema(schema, path):
    with pytest.raises(SchemaError) as refused:
        check_schema(schema)
    assert list(refused.value.absolute_path) == path


def doubled(levels):
    """Schemas of which each refers to the next one twice."""
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": definitions | {f"d{levels}": {}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubled(40), 1),
        ({"items": {"anyOf": [{"minimum": 9, "maximum": 8}] * 400 + [{}]}}, [1] * 25_000),
        ({"anyOf": [{"type": "integer"}] * 400}, LONG),
        ({"anyOf": [False] * 400}, LONG),
        ({"oneOf": [{"not": {}}] * 400}, LONG),
        ({"anyOf": [{"const": 1}] * 400}, [LONG]),
        ({"anyOf": [{"enum": [1]}] * 400}, {str(n): n for n in range(25_000)}),
        ({"anyOf": [{"uniqueItems": True, "type": "string"}] * 400}, [[n] for n in range(12_000)]),
        ({"anyOf": [{"additionalProperties": False}] * 400}, {str(n): n for n in range(25_000)}),
        ({"pattern": "[^x]{0,400}y"}, "ab" * 450_000),
        ({"items": {"pattern": "^a", "type": "string", "minLength": 1, "maxLength": 2, "format": "x"}}, ["a"] * 25_000),
    ],
    ids=["references", "product", "types", "never", "not", "const", "enum", "unique", "names", "pattern", "items"],
)
def test_a_schema_and_a_value_of_much_work_are_refused(schema, value):
    check_schema(schema)
    with ended_soon(), pytest.raises(TooMuchWork):
        faults_in(schema, value)


def test_a_schema_of_much_work_is_refused():
    with pytest.raises(TooMuchWork):
        check_schema({"properties": {f"p{n}": {} for n in range(5000)}})


def test_items_that_cannot_be_sorted_are_distinguished_in_linear_time():
    many = [{"a": n, "b": []} for n in range(25_000)]
    with ended_soon():
        assert not list(Validator({"uniqueItems": True}).iter_errors(many))
        assert list(Validator({"uniqueItems": True}).iter_errors([*many, many[0]]))
