"""What a library says of a fault never reaches a client: for each kind there is a sentence of our own."""

import json

import pytest
import re2
import yaml
from jinja2 import UndefinedError
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match

from apps.system.api.fields import Input
from apps.system.json_schema import check_schema, faults_in
from apps.system.linear_regex import FAULTS, BadPattern, compiled, reason
from apps.system.yaml_problems import PROBLEMS, problem_of
from apps.workflows.cron import times
from apps.workflows.errors import BadCron, ExpressionError
from apps.workflows.expressions import evaluate

BAD_PATTERNS = [
    *("(?=a)", "(?!a)", "(?<=a)b", "(?>a)", "(?P=n)", r"(a)\1", r"\q", r"\Z", "(", "a)", "[a", "[b-a]", r"\p{Foo}"),
    *("*a", "a**", "a++", "a{1001}", "a{2,1}", "a\\", "(?P<n", r"\pL{0,900}"),
]
BAD_YAML = ["a: @b", "a:\n\t- b", "a: b: c", "- *x", "a: 'b", "a: [1, 2", "a: !!python/none b", "{[1]: 2, {}: 3}"]
BAD_YAML += ["a: 1\n b: 2", '"\\q"', "a: |x\n y", "- a\nb: 1"]
BAD_VALUES = [
    ({"type": ["integer", "null"]}, "x"),
    ({"minimum": 3}, 2),
    ({"exclusiveMaximum": 3}, 3),
    ({"multipleOf": 2}, 3),
    ({"minLength": 3}, "x"),
    ({"maxItems": 1}, [1, 2]),
    ({"minProperties": 1}, {}),
    ({"contains": {"const": 1}}, [2]),
    ({"contains": {}, "maxContains": 1}, [1, 2]),
    ({"required": ["a"]}, {}),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
    ({"additionalProperties": False}, {"a": 1}),
    ({"properties": {"a": False}}, {"a": 1}),
    ({"items": {"not": {}}}, [1]),
    ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 1),
    ({"oneOf": [{}, {}]}, 1),
    ({"items": False}, [1]),
    ({"enum": [1]}, 2),
    ({"const": 1}, 2),
    ({"uniqueItems": True}, [1, 1]),
    ({"pattern": "a"}, "b"),
]
BAD_EXPRESSIONS = ["{{ a.b.c }}", "{{ x }}", "{{ 1 / 0 }}", "{{ 'a' + 1 }}", "{{ [] | first }}", "{{ ''.__class__ }}"]
BAD_EXPRESSIONS += ["{{ a | nope }}", "{{ a is nope }}", "{{ a", "{{ 1 + }}", "{{ 'x' | int | nope }}", "{{ a.nope }}"]
BAD_EXPRESSIONS += [
    "{{ 9e999 | int }}",
    "{{ 'abc'.index('x') }}",
    "{{ [1, 'a'] | sort }}",
    "{{ a.upper() }}",
    "{{ [1][5] }}",
]


@pytest.mark.parametrize("pattern", BAD_PATTERNS)
def test_a_pattern(pattern):
    options = re2.Options()
    options.log_errors, options.max_mem = False, 1 << 18
    with pytest.raises(re2.error) as theirs:
        re2.compile(pattern.encode(), options)
    with pytest.raises(BadPattern) as ours:
        compiled(pattern)
    word = theirs.value.args[0].decode().partition(":")[0]
    assert reason(theirs.value) in [sentence for _, sentence in FAULTS]
    assert word not in ours.value.text


def test_a_schema_tells_the_same():
    with pytest.raises(SchemaError, match="it looks ahead, which is not supported"):
        check_schema({"pattern": "(?=a)"})


@pytest.mark.parametrize("text", BAD_YAML)
def test_a_yaml_text(text):
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        with pytest.raises(yaml.MarkedYAMLError) as theirs:
            yaml.load(text, Loader=loader)
        assert problem_of(theirs.value) in [sentence for _, sentence in PROBLEMS]


@pytest.mark.parametrize(("schema", "value"), BAD_VALUES, ids=str)
def test_a_value(schema, value):
    theirs = best_match(Draft202012Validator(schema).iter_errors(value))
    [fault] = faults_in(schema, value)
    assert theirs is not None and fault.message
    library = ("was unexpected", "required property", "valid under", "non-empty", "expected at most", "False schema")
    assert not any(word in fault.message for word in library)


@pytest.mark.parametrize("source", BAD_EXPRESSIONS)
def test_an_expression(source):
    with pytest.raises(ExpressionError) as ours:
        evaluate(source, {"a": {"b": 1}})
    cause = ours.value.__cause__
    assert isinstance(cause, ExpressionError | UndefinedError) or str(cause) not in str(ours.value)
    assert not any(word in str(ours.value) for word in ("object", "NoneType", "undefined", "expected", "named"))


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("61 * * * *", "bad minute 61; write such as */15"),
        ("* 25 * * *", "bad hour 25; write such as 2"),
        ("* * 32 * *", "bad day 32; write such as 1"),
        ("* * * 13 *", "bad month 13; write such as 1-6"),
        ("* * * * x", "bad weekday x; write such as 1-5"),
    ],
)
def test_a_cron_expression(cron, expected):
    from datetime import UTC, datetime

    with pytest.raises(BadCron) as refused:
        times(cron, "UTC", datetime.now(UTC))
    assert expected in refused.value.text


SAYS_NOTHING = ("valid boolean", "valid string", "dictionary", "list of items", "datetime", "No data", "date/time")


def every_input(shape=Input):
    return [each for found in shape.__subclasses__() for each in (found, *every_input(found))]


def with_children(field):
    return [field, *(with_children(field.child) if hasattr(field, "child") else ())]


def test_each_field_says_what_to_send():
    shapes = every_input()
    assert len(shapes) > 20
    fields = [each for shape in shapes for field in shape().fields.values() for each in with_children(field)]
    for field in [shape() for shape in shapes] + fields:
        told = [field.error_messages.get(code, "") for code in ("invalid", "not_a_list", "not_a_dict", "date")]
        assert not [text for text in told for word in SAYS_NOTHING if word in text], field


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"check_mode": "true"}, "check_mode", "Give true or false, without quotes."),
        ({"hostname": 1}, "hostname", "Give a string."),
        ({"tags": "web"}, "tags", "Give a list, in square brackets."),
        ({"tags": [1]}, "tags.0", "Give a string."),
        ({"expires_at": "0000-01-01"}, "expires_at", "Give a time in ISO 8601, such as 2026-11-23T20:31:43Z."),
        ({"expires_at": "0001-01-01T00:00:00+01:00"}, "expires_at", "Give a time in ISO 8601, such as"),
        ([], "body", "Give an object, in curly brackets."),
        (None, "body", "Give an object, in curly brackets."),
    ],
)
def test_a_body(api, alice, body, field, sentence):
    answer = api(alice).post("/v1/servers", json.dumps(body), content_type="application/json").json()
    assert answer["details"][field][0].startswith(sentence)


def test_a_time_in_a_query(api, alice):
    answer = api(alice).get("/v1/servers?created_after=tomorrow").json()
    assert answer["details"] == {"created_after": ["Give a time in ISO 8601, such as 2026-11-23T20:31:43Z."]}


def test_what_the_rest_framework_refuses(api, alice):
    caller = api(alice)
    answers = [caller.put("/v1/servers"), caller.post("/v1/servers/create", "a", content_type="text/plain")]
    texts = [answer.json()["message"] for answer in answers]
    assert [answer.status_code for answer in answers] == [405, 415]
    assert texts == ["This method is not allowed here.", "Send the body as JSON, with Content-Type: application/json."]
