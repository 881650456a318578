import time

import pytest

from apps.system.work_limit import limited_work
from apps.workflows.checks import check_definitions
from apps.workflows.definition import parse
from apps.workflows.definitions import HERE, definitions, read
from apps.workflows.errors import BadParameters, DefinitionError, ExpressionError
from apps.workflows.expressions import evaluate
from apps.workflows.parameters import complete
from tests.workflows.conftest import step

N = {"properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"steps": [step("a")], "stepz": []}, "stepz"),
        ({"steps": []}, "steps"),
        ({"steps": [step("a", wen="x")]}, "steps.0: there is no key 'wen'"),
        ({"steps": [{"name": "a"}]}, "step a: it has none of them"),
        ({"steps": [step("A")]}, "steps.0.name"),
        ({"steps": [step("a"), step("a")]}, "steps: 2 are named a"),
        ({"steps": [step("a", ["b"])]}, "step a: it needs b, and there is no such step"),
        ({"steps": [step("a", ["b"]), step("b", ["a"])]}, "circle"),
        ({"steps": [step("a", ["a"])]}, "circle"),
        ({"steps": [step("a"), step("b", given={"x": "{{ steps.a.result }}"})]}, "reads step a without needing it"),
        ({"steps": [step("a", given={"x": "{{ steps[parameters.x] }}"})]}, "write steps.<name>"),
        ({"steps": [step("a", given={"x": "{{ nobody.x }}"})]}, "step a: with: unknown name nobody"),
        ({"steps": [step("a", given={"x": "{{ item }}"})]}, "unknown name item"),
        ({"steps": [step("a", given={"x": "{{ oops"})]}, "step a: with"),
        ({"steps": [step("a", given={"x": "{{ 1 | random }}"})]}, "random"),
        ({"steps": [step("a")], "outputs": {"x": "{{ steps.b.result }}"}}, "outputs: there is no step b"),
        ({"steps": [step("a")], "on_failure": "panic"}, "on_failure: 'panic' is not one of"),
        ({"steps": [step("a")], "effect": "create"}, "target"),
        ({"steps": [step("a")], "parameters": {"type": 5}}, "parameters"),
        ({"steps": [step("a", retry={"attempts": 0})]}, "retry"),
        ({"steps": [{"name": "a", "uses": "x.y", "wait": {"for": 1}}]}, "step a: it has uses and wait"),
        ({"steps": [{"name": "a", "wait": {"for": 1, "until": "x"}}]}, "steps.0.wait"),
        ({"steps": [{"name": "a", "approve": {}}]}, "steps.0.approve: 'message' is missing"),
        ({"steps": [step("a"), step("b", [{"step": "a", "outcome": "luck"}])]}, "'luck' is not one of"),
        ({"steps": [step("a"), step("b", ["a", {"step": "a"}])]}, "it needs a twice"),
        ({"steps": [step("a", max_parallel=0)]}, "max_parallel"),
        ({"steps": [step("a", given={"x": "{{ parameters.nam }}"})]}, "there is no parameter nam"),
        ({"steps": [step("a", given={"x": "{{ existing.id }}"})]}, "there is nothing existing"),
        ({"steps": [step("a", for_each="{{ parameters.n }}")], "parameters": N}, "for_each needs array"),
        ({"steps": [step("a", when="{{ parameters.n }}")], "parameters": N}, "when needs boolean"),
    ],
)
def test_it_refuses_a_definition_and_names_the_place(raw, expected):
    with pytest.raises(DefinitionError, match=".*") as error:
        parse({"title": "t", **raw})
    assert expected in str(error.value)


def test_it_puts_steps_after_those_they_need():
    assert [each.name for each in parse({"title": "t", "steps": [step("b", ["a"]), step("a")]}).steps] == ["a", "b"]


def test_it_refuses_keys_given_twice_and_names_the_file(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("title: a\nsteps: []\ntitle: b\n")
    with pytest.raises(DefinitionError, match="twice.yaml:3:1: title is given twice"):
        read(path)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_definition_is_sound(path):
    assert read(path).description


def test_every_shipped_definition_uses_kinds_that_are_there():
    assert set(definitions()) >= {"cluster_create", "cluster_delete"}
    assert check_definitions(None) == []


def test_the_check_names_a_kind_that_is_not_there(define):
    define("odd", steps=[step("a", uses="no.such")])
    [error] = check_definitions(None)
    assert (error.id, error.msg) == ("workflows.E002", "odd: step a uses no.such, which is not there.")


NAMES = {"parameters": {"n": 3, "text": "1.28", "items": [1], "name": "x"}}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ parameters.n }}", 3),
        ("{{ -parameters.n }}", -3),
        ("{{ parameters.text }}", "1.28"),
        ("{{ parameters.items }}", [1]),
        ("{{ range(parameters.n) }}", [0, 1, 2]),
        ("{{ range(2) | map('string') }}", ["0", "1"]),
        ("{{ parameters.n > 2 }}", True),
        ("{{ parameters.name }}-{{ parameters.n }}", "x-3"),
        ("plain", "plain"),
        ({"a": ["{{ parameters.n }}", 5]}, {"a": [3, 5]}),
    ],
)
def test_it_evaluates_with_types(source, value):
    assert evaluate(source, NAMES) == value


@pytest.mark.parametrize(
    "source",
    [
        "{{ parameters.nothing }}",
        "{{ parameters.items | map(attribute='x') }}",
        "{{ ''.__class__ }}",
        "{{ parameters.pop('n') }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%1000000000s' % 'x' }}",
        "{{ range(10000000) }}",
        "{{ parameters.n.nothing }}",
        "{{ 1 / 0 }}",
        "{{ parameters.items + 1 }}",
        "{{ parameters.name | upper | nosuch }}",
    ],
)
def test_it_refuses_what_is_undefined_unsafe_or_unbounded(source):
    with pytest.raises(ExpressionError):
        evaluate(source, NAMES)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set a = 'x' %}{{ a }}",
        "{{ 'x'.ljust(1000000000) | length }}",
        "{{ '{:>1000000000}'.format(1) | length }}",
        "{{ (1).to_bytes(1000000000, 'big') | length }}",
        "{{ [1] | batch(1000000000, 1) | list | length }}",
        "{{ range(9) | slice(1000000000) | list | length }}",
        "{{ {'a': 1} | tojson(indent=1000000000) | length }}",
        "{{ 'aaaaaaaaaa'" + " | replace('a', 'aaaaaaaaaa')" * 9 + " | length }}",
        "{{ range(99999) | join('" + "x" * 1000 + "') | length }}",
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
        "{{ " + "1 + " * 500 + "1 }}",
        "{{ range(99999) | select('in', range(99999) | list) | list | length }}",
        "{{ range(99999) | map('string') | map('list') | sum(start=[]) | length }}",
        "{{ parameters.long" + " ~ parameters.long" * 40 + " }}",
        "{{ parameters.long" * 2 + " }}",
        "{{ [parameters.long] * 2 }}",
        "{{ parameters.long }}" * 40,
        "{{ parameters.long" + " + parameters.long" * 40 + " }}",
        "{{ [] | new_names(parameters.long, 9999) | length }}",
        "{{ [" + "parameters.long, " * 40 + "] | map('list') | list | length }}",
        "{{ range(99999) | list" + " | sort" * 80 + " | length }}",
        "{{ range(99999) | map('string') | map('upper') | map('lower') | list | length }}",
        "{{ parameters.long | striptags }}",
    ],
    ids=lambda source: source[:40],
)
def test_it_refuses_short_expressions_of_much_work(source):
    began = time.process_time()
    with pytest.raises(ExpressionError) as refused:
        evaluate(source, {"parameters": NAMES["parameters"] | {"long": "x" * 900_000}, "steps": {}})
    assert time.process_time() - began < 2
    assert " at 0x" not in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1.5 in range(99999) }}",
        "{{ 2.5 is in range(99999) }}",
        "{{ 'xxy' not in parameters.long }}",
        "{{ parameters.long[::-1] == 1 }}",
        "{{ parameters.long ~ 'a' == 1 }}",
        "{{ range(99999) | sum == 1 }}",
    ],
)
def test_the_work_of_operators_is_counted(source):
    names = {"parameters": {"long": "x" * 900_000}, "steps": {}}
    with limited_work(5000), pytest.raises(ExpressionError, match="it takes too much work"):
        for _ in range(20):
            evaluate(source, names)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ 1 < 2 < 3 }}", True),
        ("{{ 1 < 2 > 5 }}", False),
        ("{{ 'a' in {'a': 1} and 2 not in [1] }}", True),
        ("{{ [1, 2, 3][1:] + [1, 2, 3][::-1][:1] }}", [2, 3, 3]),
        ("{{ parameters.name.upper() }}", "X"),
        ("{{ 'a,b'.split(',') }}", ["a", "b"]),
        ("{{ parameters.name | replace('x', 'y') }}", "y"),
        ("{{ range(3) | join(', ') }}", "0, 1, 2"),
        ("{{ [{'a': 1}, {'a': 2}] | join('+', attribute='a') }}", "1+2"),
        ("{% if parameters.n > 2 %}many{% else %}few{% endif %}", "many"),
        ("{{ parameters.get('n') }}", 3),
        ("{{ {'a': [1]} | tojson }}", '{"a": [1]}'),
        ("{{ 'n-' ~ parameters.n ~ '-' ~ parameters.name }}", "n-3-x"),
        ("{{ [1] + [2] }}", [1, 2]),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ range(4) | sum }}", 6),
        ("{{ range(2000) | map('string') | reject('in', ['1']) | list | length }}", 1999),
    ],
)
def test_it_keeps_what_is_bounded(source, value):
    assert evaluate(source, NAMES) == value


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema", "file:///etc/passwd", "#/$defs/none", "#", "x"])
@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
def test_parameters_refer_to_nothing_outside(key, reference):
    schema = {"properties": {"n": {key: reference}}}
    with pytest.raises(DefinitionError, match="it refers to"):
        parse({"title": "Odd", "parameters": schema, "steps": [{"name": "a", "wait": {"for": 0}}]})


def test_parameters_may_refer_to_their_own_definitions_but_not_without_end():
    schema = {"$defs": {"n": {"type": "integer"}, "a": {"$ref": "#/$defs/a"}}, "properties": {"n": {}, "a": {}}}
    schema["properties"] = {name: {"$ref": f"#/$defs/{name}"} for name in ("n", "a")}
    parse({"title": "Own", "parameters": schema, "steps": [{"name": "a", "wait": {"for": 0}}]})
    assert complete("own", schema, {"n": 1}) == {"n": 1}
    with pytest.raises(BadParameters, match="parameters.n"):
        complete("own", schema, {"n": "x"})
    with pytest.raises(BadParameters, match="without end"):
        complete("own", schema, {"a": 1})


@pytest.mark.parametrize(
    ("pattern", "good", "bad"), [("^a$", "a", "a\n"), (r"^\$a$", "$a", "a"), ("^[$]$", "$", "$\n")]
)
def test_a_dollar_of_a_pattern_is_the_very_end_unless_it_is_escaped_or_in_a_set(pattern, good, bad):
    schema = {"properties": {"n": {"type": "string", "pattern": pattern}}}
    assert complete("own", schema, {"n": good}) == {"n": good}
    with pytest.raises(BadParameters):
        complete("own", schema, {"n": bad})


def test_a_number_too_large_to_calculate_with_is_a_bad_parameter():
    with pytest.raises(BadParameters, match="too large"):
        complete("own", {"properties": {"n": {"multipleOf": 0.1}}}, {"n": 10**400})
