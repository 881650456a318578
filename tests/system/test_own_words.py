"""What a library says of a fault never reaches a client: for each kind there is a sentence of our own."""

import pytest
import re2
import yaml
from jinja2 import UndefinedError
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match

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


def test_what_the_rest_framework_refuses(api, alice):
    caller = api(alice)
    answers = [caller.put("/v1/servers"), caller.post("/v1/servers/create", "a", content_type="text/plain")]
    texts = [answer.json()["message"] for answer in answers]
    assert [answer.status_code for answer in answers] == [405, 415]
    assert texts == ["This method is not allowed here.", "Send the body as JSON, with Content-Type: application/json."]
