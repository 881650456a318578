import pytest

from apps.workflows.checks import check_definitions
from apps.workflows.definition import parse
from apps.workflows.definitions import HERE, definitions, read
from apps.workflows.errors import DefinitionError, ExpressionError
from apps.workflows.expressions import evaluate
from tests.workflows.conftest import step


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"steps": [step("a")], "stepz": []}, "stepz"),
        ({"steps": []}, "steps"),
        ({"steps": [step("a", wen="x")]}, "steps.0: Additional properties are not allowed ('wen' was unexpected)"),
        ({"steps": [{"name": "a"}]}, "steps.0: 'uses' is a required property"),
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
    ],
)
def test_it_refuses_a_definition_and_says_where(raw, said):
    with pytest.raises(DefinitionError, match=".*") as error:
        parse({"title": "t", **raw})
    assert said in str(error.value)


def test_it_puts_steps_after_those_they_need():
    assert [each.name for each in parse({"title": "t", "steps": [step("b", ["a"]), step("a")]}).steps] == ["a", "b"]


def test_it_refuses_keys_given_twice_and_names_the_file(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("title: a\nsteps: []\ntitle: b\n")
    with pytest.raises(DefinitionError, match="twice.yaml: line 1: title is given twice"):
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
