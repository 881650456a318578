"""A definition's faults are told all at once, each with its place."""

import pytest
from django.core.management import CommandError, call_command

from apps.workflows.definition_files import parse_text
from apps.workflows.definition_references import faults_of
from apps.workflows.errors import DefinitionError
from tests.refusals import refused

SEVERAL = """\
titel: T
steps:
- {name: a, wait: {seconds: 2}}
- {name: b, uses: 5}
"""
SEVERAL_READ = """\
title: T
steps:
- {name: a, wait: {for: "{{ nobody }}"}}
- {name: b, approve: {message: "{{ steps.a.result }}"}}
outputs: {x: "{{ steps.c.result }}"}
"""
SEVERAL_NAMED = """\
title: T
steps:
- {name: a, uses: nobody.makes, with: {}}
- {name: b, approve: {message: m, permission: nobody_may}}
"""


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (SEVERAL, ["1:1", "1:1", "3:20", "4:13"]),
        (SEVERAL.replace("- {name: b, uses: 5}\n", "").replace("titel", "title"), ["3:20"]),
        (SEVERAL_READ, ["3:20", "4:23", "5:1"]),
        (SEVERAL_NAMED, ["3:13", "4:35"]),
        ("title: T\nsteps:\n- name: a\n  needs: [{step: b, on: success}]\n", ["4:11"]),
        ("title: T\nsteps:\n- name: a\n  wait: {for: 99999999999999999999}\n", ["4:10"]),
        ("title: T\nsteps:\n- {name: a}\n- {name: b, needs: [c], wait: {for: 1}}\n", ["3:3", "4:21"]),
    ],
)
def test_it_names_all_faults_in_the_order_of_the_file(text, places):
    with pytest.raises(DefinitionError) as refused:
        parse_text(text, "f", refer=faults_of)
    assert [str(fault).split(" ")[0] for fault in refused.value.faults] == [f"f:{place}:" for place in places]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ('timeout: "abc"', "approve.timeout: 'abc' is not of type 'number'"),
        ("timeout: 5, then: maybe", "approve.then: 'maybe' is not one of"),
        ("nonsense: 1", "approve: there is no key 'nonsense'"),
        ('by_submitter: "yes"', "approve.by_submitter: 'yes' is not of type 'boolean'"),
    ],
)
def test_an_approval_is_checked_whichever_way_it_is_written(given, what, api, root, workspace):
    text = "title: T\nparameters: {properties: {t: {type: string}}}\nsteps:\n"
    step = f"- {{name: a, uses: workflow.approve, with: {{message: m, {given}}}}}\n"
    error = refused(api(root).post("/v1/workflows/definitions", {"name": "bad", "text": text + step}), 400)
    assert f"step a: {what}" in error["message"]


def test_an_approval_whose_expressions_give_no_time_is_refused_when_it_is_submitted(api, root, workspace):
    text = "title: T\nparameters: {properties: {t: {type: string}}}\nsteps:\n"
    step = '- {name: a, uses: workflow.approve, with: {message: m, timeout: "{{ parameters.t }}"}}\n'
    api(root).post("/v1/workflows/definitions", {"name": "odd", "text": text + step})
    body = {"workspace": "production", "workflow_type": "odd", "parameters": {"t": "abc"}}
    preview = api(root).post("/v1/workflows/submit", {**body, "check_mode": True}).json()["result"]
    assert "is not of type 'number'" in preview["waves"][0][0]["refused"]
    refused(api(root).post("/v1/workflows/submit", body), 400)


def test_an_upload_and_the_command_list_all_faults(api, root, tmp_path, capsys):
    error = refused(api(root).post("/v1/workflows/definitions", {"name": "several", "text": SEVERAL_READ}), 400)
    assert [fault.split(" ")[0] for fault in error["details"]["text"]] == [
        "several:3:20:",
        "several:4:23:",
        "several:5:1:",
    ]
    assert error["message"] == error["details"]["text"][0] + " Found besides: 2; see details."
    path = tmp_path / "several.yaml"
    path.write_text(SEVERAL_READ)
    with pytest.raises(CommandError):
        call_command("check_workflow", str(path))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition("several.yaml:")[2][:4] for line in lines] == ["3:20", "4:23", "5:1:"]
