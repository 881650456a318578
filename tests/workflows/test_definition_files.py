"""Definition files: errors that name the place, the command that checks them, and the three places they come from."""

import time
from itertools import pairwise

import jsonschema
import pytest
import yaml
from django.core.management import CommandError, call_command

from apps.workflows.definition_files import parse_text
from apps.workflows.definitions import HERE
from apps.workflows.errors import DefinitionError
from apps.workflows.models import Workflow
from apps.workspaces.models import Workspace
from tests.refusals import refused

GOOD = """\
title: Reboot
parameters:
  required: [server_id]
  properties:
    server_id: {type: string}
steps:
  - name: reboot
    uses: server.reboot
    with:
      server_id: "{{ parameters.server_id }}"
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("uses: server.reboot", "use: server.reboot"), "f.yaml:8:5: steps.0: there is no key"),
        (
            ("server_id }}", "serverid }}"),
            "f.yaml:10:7: step reboot: with: there is no parameter serverid. Did",
        ),
        (("name: reboot", "name: reboot\n    needs: [a, b]"), "f.yaml:8:13: step reboot: it needs a, and there is no"),
        (("title: Reboot", "title: [Reboot"), "f.yaml:2:"),
        (("title: Reboot", "titel: Reboot"), "f.yaml:1:1: "),
        (
            ("{type: string}", "{type: text}"),
            "f.yaml:5:17: parameters: 'text' fits none of the forms that are allowed.",
        ),
        (("{type: string}", "{type: string}\n  required: [name]\n"), "f.yaml:6:3: required is given twice"),
        (("required: [server_id]", "required: [server_id, id]"), "f.yaml:3:25: parameters: id is required, and not"),
        (("name: reboot", "retry: 3\n    name: reboot"), "f.yaml:7:5: steps.0.retry: 3 is not of type 'object'. Write"),
        (("name: reboot", "name: re boot"), "f.yaml:7:5: steps.0.name: 're boot' does not match"),
        (
            ("uses: server.reboot", "uses: server.rebot"),
            "f.yaml:8:5: step reboot uses server.rebot, which is not",
        ),
        (('"{{ parameters.server_id }}"', "5"), "f.yaml:9:5: step reboot: "),
        (("type: string", "pattern: '(?=a)'"), "f.yaml:5:17: parameters: '(?=a)' cannot be used as a regular"),
        (("properties:", "patternProperties: {'(a': {}}\n  properties:"), "f.yaml:4:3: parameters: '(a' cannot"),
        (("type: string", "$ref: '#/$defs/a~1b'"), "f.yaml:5:17: parameters: it refers to"),
    ],
)
def test_an_error_names_file_line_and_column_and_what_to_do(tmp_path, change, expected, capsys):
    path = tmp_path / "f.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(CommandError, match="1 of 1 cannot be used"):
        call_command("check_workflow", str(path))
    printed = capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert printed.startswith(expected), printed
    assert printed.strip().endswith((".", "?"))


def test_a_sound_file_passes(tmp_path, capsys):
    path = tmp_path / "f.yaml"
    path.write_text(GOOD)
    call_command("check_workflow", str(path))
    assert capsys.readouterr().out == f"{path}: OK\n"


def test_a_missing_file_is_reported(tmp_path, capsys):
    with pytest.raises(CommandError):
        call_command("check_workflow", str(tmp_path / "none.yaml"))
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "- a",
        "a: &x [*x]",
        "? [1]\n: 2",
        "title: 2020-01-01\nsteps: []",
        f"title: a\nsteps: [{{name: a, wait: {{for: {2**64}}}}}]",
    ],
)
def test_it_refuses_odd_yaml(text):
    with pytest.raises(DefinitionError, match=r"^f\.yaml:\d+:\d+: "):
        parse_text(text, "f.yaml")


def nested(each, last="x"):
    """Text whose last alias stands for ten times ten times … values."""
    first = f"a: &a {last}\n"
    return first + "".join(
        f"{new}: &{new} {each.format(', '.join([f'*{old}'] * 10))}\n" for old, new in pairwise("abcdefghijk")
    )


STEPS = "title: T\nsteps:\n- {name: a, wait: {for: 0}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STEPS + "#" * 262_144, "longer than 262144 bytes"),
        (STEPS + "description: '" + "ä" * 140_000 + "'", "longer than 262144 bytes"),
        (STEPS + "outputs: {a: [" + "1," * 60_000 + "]}", "more than 50000 values"),
        (STEPS + "outputs: " + "[" * 60 + "]" * 60, "nested too deeply"),
        (STEPS + "outputs: " + "[" * 100_000, "nested too deeply"),
        (STEPS + "parameters:\n  properties:\n" + "".join(f"    p{n}: {{}}\n" for n in range(5000)), "too much work"),
        (STEPS + "parameters:\n  anyOf: [" + "{pattern: '[^x]{0,400}'}," * 2000 + "]", "too much work"),
        (STEPS + "outputs:\n" + "".join(f"  k{n}: '{{{{ {n} }}}}'\n" for n in range(5000)), "too much work"),
        (STEPS + "outputs: {k: '{{ [" + "1," * 1000 + "] }}'}", "longer than 1000 characters"),
        (
            STEPS.replace("wait", "for_each: [1], wait")
            + "".join(f"- {{name: s{n}, for_each: [1], wait: {{for: 0}}}}\n" for n in range(50)),
            "more than 50 steps have for_each",
        ),
    ],
    ids=["long", "bytes", "values", "deep", "deeper", "schema", "patterns", "expressions", "expression", "many"],
)
def test_it_bounds_size_and_work(text, expected):
    with pytest.raises(DefinitionError, match=rf"^f\.yaml:\d+:\d+: .*{expected}"):
        parse_text(text, "f.yaml")


def chain(name, need, count=2000):
    """A text of steps of which each needs another."""
    return "title: T\nsteps:\n" + "".join(
        f"- {{name: {name.format(n)}, {f'needs: [{need.format(n - 1)}], ' if n else ''}wait: {{for: 0}}}}\n"
        for n in range(count)
    )


def test_a_definition_may_have_two_thousand_steps_in_any_order():
    head, *steps = chain("a{}", "a{}").partition("steps:\n")[2].splitlines()
    backwards = "title: T\nsteps:\n" + "\n".join([*reversed(steps), head])
    names = [step.name for step in parse_text(backwards, "f.yaml").steps]
    assert names == [f"a{n}" for n in range(2000)]


@pytest.mark.parametrize(
    "text",
    [nested("[{}]"), nested("{{<<: [{}]}}", "{k: 1}"), "a: &a {b: [*a]}", "a: " + "[" * 100_000, "a: " + "9" * 100_000],
    ids=["aliases", "merges", "itself", "deep", "digits"],
)
def test_a_text_that_stands_for_much_more_is_refused_at_once(text):
    began = time.process_time()
    with pytest.raises(DefinitionError, match=r"^f\.yaml:\d+:\d+: "):
        parse_text(text, "f.yaml")
    assert time.process_time() - began < 10


def test_an_error_is_no_longer_than_a_thousand_characters():
    with pytest.raises(DefinitionError) as refused:
        parse_text("".join(f"k{number}: 1\n" for number in range(2000)), "f.yaml")
    assert len(str(refused.value)) < 1500


def test_the_schema_for_editors_accepts_what_is_shipped_and_refuses_what_is_wrong(api, bob):
    schema = api(bob).get("/v1/workflows/definition-schema").json()
    validator = jsonschema.Draft202012Validator(schema)
    for path in HERE.glob("*.yaml"):
        validator.validate(yaml.safe_load(path.read_text()))
    wrong = yaml.safe_load(GOOD)
    wrong["steps"][0]["wait"] = {"for": 1}
    assert list(validator.iter_errors(wrong))


TWO = "title: Two\nsteps:\n  - {name: a, wait: {for: 0}}\n"


# ── a workspace's own ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def place(db, tmp_path):
    folder = tmp_path / "team" / "workflows"
    folder.mkdir(parents=True)
    (folder / "local.yaml").write_text(TWO)
    return Workspace.objects.create(name="team", path=str(tmp_path / "team"))


def test_a_workspace_has_its_own_below_the_allowed_directories_only(api, alice, place, settings, tmp_path, run_worker):
    body = {"workspace": "team", "workflow_type": "local"}
    refused(api(alice).post("/v1/workflows/submit", body), 400, field="workflow_type")
    settings.WORKFLOW_WORKSPACE_ROOTS = [str(tmp_path)]
    operation = api(alice).post("/v1/workflows/submit", body).json()
    run_worker()
    assert Workflow.objects.get(pk=operation["id"]).source == f"workspace:{place.path}/workflows/local.yaml"[:300]
    names = [each["name"] for each in api(alice).get("/v1/workflows/types?workspace=team").json()]
    assert "local" in names
    assert "local" not in [each["name"] for each in api(alice).get("/v1/workflows/types").json()]
    graph = api(alice).get("/v1/workflows/types/local/graph.json?workspace=team").json()
    assert [node["name"] for node in graph["nodes"]] == ["a"]
    refused(api(alice).get("/v1/workflows/types/local/graph.json"), 404)
    refused(api(alice).get("/v1/workflows/types/local/graph.svg?workspace=none"), 400, field="workspace")


def test_a_link_out_of_the_directory_is_not_followed(api, alice, place, settings, tmp_path):
    settings.WORKFLOW_WORKSPACE_ROOTS = [str(tmp_path / "team")]
    outside = tmp_path / "outside.yaml"
    outside.write_text(TWO)
    (tmp_path / "team" / "workflows" / "linked.yaml").symlink_to(outside)
    body = {"workspace": "team", "workflow_type": "linked"}
    refused(api(alice).post("/v1/workflows/submit", body), 400, field="workflow_type")


def test_a_broken_file_of_a_workspace_is_reported_with_its_place(api, alice, place, settings, tmp_path):
    settings.WORKFLOW_WORKSPACE_ROOTS = [str(tmp_path)]
    (tmp_path / "team" / "workflows" / "local.yaml").write_text("title: x\nsteps: 5\n")
    error = refused(api(alice).post("/v1/workflows/submit", {"workspace": "team", "workflow_type": "local"}), 400)
    assert error["message"].startswith("local.yaml:2:")


@pytest.mark.parametrize(
    "text",
    [
        STEPS + "parameters:\n  properties:\n" + "".join(f"    p{n}: {{type: string}}\n" for n in range(9000)),
        STEPS + "parameters:\n  properties:\n" + "".join(f"    p{n}: {{pattern: '(a|b{n})*'}}\n" for n in range(4000)),
        STEPS + "outputs: {a: [" + ",".join(f"'{{{{ [{n}]{'|list' * 180} }}}}'" for n in range(240)) + "]}\n",
        "title: T\nsteps:\n- {name: a, needs: [" + ",".join(["{step: 1, x: 2}"] * 8000) + "]}\n",
        "title: T\nsteps:\n- {name: A, with: {a: [" + ",".join("x" * 40_000) + "]}}\n",
    ],
    ids=["properties", "patterns", "filters", "needs", "values"],
)
def test_the_costliest_texts_are_refused_soon(text):
    began = time.process_time()
    with pytest.raises(DefinitionError):
        parse_text(text, "f.yaml")
    assert time.process_time() - began < 2  # 0.2 to 0.4 s where nothing else runs
