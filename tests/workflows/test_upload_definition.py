"""Uploaded definitions: versions, retiring, and the limits of what is taken."""

import re
import tracemalloc

import pytest

from apps.operations.registry import kinds
from apps.workflows.definition import APPROVE, RUN, WAIT
from apps.workflows.models import Workflow, WorkflowDefinition
from tests.refusals import refused

OWN = (RUN, APPROVE, WAIT)  # they have a key of their own in a step
TWO = "title: Two\nsteps:\n  - {name: a, wait: {for: 0}}\n"


def test_an_upload_is_versioned_and_a_run_keeps_its_version(api, alice, workspace, run_worker):
    caller = api(alice)
    first = caller.post("/v1/workflows/definitions", {"name": "mine", "text": TWO}).json()
    assert (first["name"], first["version"]) == ("mine", 1)
    again = caller.post("/v1/workflows/definitions", {"name": "mine", "text": TWO}).json()
    assert again["version"] == 1
    submitted = caller.post("/v1/workflows/submit", {"workspace": "production", "workflow_type": "mine"}).json()
    changed = TWO.replace("name: a", "name: b")
    assert caller.post("/v1/workflows/definitions", {"name": "mine", "text": changed}).json()["version"] == 2
    run_worker()
    row = Workflow.objects.get(pk=submitted["id"])
    assert (row.source, row.operation.status) == ("upload:1", "completed")
    assert [step.name for step in row.steps.all()] == ["a"]
    assert caller.get("/v1/workflows/definitions/mine").json()["text"] == changed
    types = {each["name"]: each["origin"] for each in caller.get("/v1/workflows/types").json()}
    assert types["mine"] == "upload:2"


def test_a_retired_type_can_be_submitted_no_more(api, alice, workspace):
    caller = api(alice)
    caller.post("/v1/workflows/definitions", {"name": "mine", "text": TWO})
    assert caller.delete("/v1/workflows/definitions/mine").json()["retired"] is True
    body = {"workspace": "production", "workflow_type": "mine"}
    refused(caller.post("/v1/workflows/submit", body), 400, field="workflow_type")
    refused(caller.delete("/v1/workflows/definitions/mine"), 404)
    assert caller.post("/v1/workflows/definitions", {"name": "mine", "text": TWO}).json()["version"] == 2


def test_it_refuses_a_bad_upload_with_line_and_column(api, alice):
    body = {"name": "mine", "text": TWO.replace("for", "fro")}
    error = refused(api(alice).post("/v1/workflows/definitions", body), 400, field="text")
    assert "mine:3:" in error["message"]


def test_it_refuses_the_name_of_a_shipped_type_and_who_may_not(api, alice, dora):
    body = {"name": "cluster_create", "text": TWO}
    refused(api(alice).post("/v1/workflows/definitions", body), 400, field="name")
    refused(api(dora).post("/v1/workflows/definitions", {"name": "mine", "text": TWO}), 403)


def test_a_workflow_that_runs_itself_is_refused(api, alice, workspace):
    text = "title: Self\nsteps:\n  - {name: a, workflow: mine}\n"
    error = refused(api(alice).post("/v1/workflows/definitions", {"name": "mine", "text": text}), 400)
    assert "leads back to mine" in error["message"]


def test_a_workflow_that_runs_itself_through_another_is_refused_when_it_is_submitted(api, alice, workspace):
    caller = api(alice)
    caller.post("/v1/workflows/definitions", {"name": "one", "text": TWO})
    two = "title: Two\nsteps:\n  - {name: a, workflow: one}\n"
    caller.post("/v1/workflows/definitions", {"name": "two", "text": two})
    caller.post("/v1/workflows/definitions", {"name": "one", "text": two.replace("one", "two")})
    answer = caller.post("/v1/workflows/submit", {"workspace": "production", "workflow_type": "one"})
    message = refused(answer, 400)["message"]
    assert "one → two → one" in message and "cannot run as a step of itself" in message


def test_a_workflow_that_gets_to_itself_by_an_expression_is_refused_when_it_gets_there(
    api, alice, workspace, run_worker
):
    caller = api(alice)
    text = "title: T\nsteps:\n  - {name: list, uses: server.list}\n  - name: again\n    needs: [list]\n"
    text += "    workflow: \"{{ 'mine' if steps.list.result.servers == [] else 'yours' }}\"\n"
    caller.post("/v1/workflows/definitions", {"name": "mine", "text": text})
    operation = caller.post("/v1/workflows/submit", {"workspace": "production", "workflow_type": "mine"}).json()
    run_worker()
    error = caller.get(f"/v1/operations/{operation['id']}").json()["error"]
    assert "cannot run as a step of itself" in error


@pytest.mark.parametrize("kind", sorted(name for name, kind in kinds().items() if kind.submit and name not in OWN))
def test_no_kind_takes_an_input_that_it_does_not_know(api, alice, workspace, kind):
    identity = "taskserv_id: x, " if kind.startswith("taskserv.") and kind != "taskserv.create" else ""
    text = f"title: T\nsteps:\n  - {{name: a, uses: {kind}, with: {{{identity}typo: 1}}}}\n"
    answer = api(alice).post("/v1/workflows/definitions", {"name": "mine", "text": text})
    [told] = refused(answer, 400, field="text")["details"]["text"]
    assert re.search("typo|nothing else|; …", told), told


def test_it_takes_so_many_types_and_no_more(api, alice, monkeypatch):
    monkeypatch.setattr("apps.workflows.services.definitions.MAX_UPLOADS", 2)
    caller = api(alice)
    for name in ("a", "b"):
        assert caller.post("/v1/workflows/definitions", {"name": name, "text": TWO}).status_code == 200
    refused(caller.post("/v1/workflows/definitions", {"name": "c", "text": TWO}), 409)
    changed = TWO.replace("title: Two", "title: New")
    assert caller.post("/v1/workflows/definitions", {"name": "a", "text": changed}).json()["version"] == 2
    caller.delete("/v1/workflows/definitions/a")
    assert caller.post("/v1/workflows/definitions", {"name": "c", "text": TWO}).status_code == 200


def test_earlier_versions_take_no_memory(api, alice, workspace):
    """Many versions come of a pipeline that uploads at each push."""
    text = TWO + "#" * 60_000
    rows = [WorkflowDefinition(name="mine", version=number, text=text) for number in range(1, 201)]
    WorkflowDefinition.objects.bulk_create(rows, batch_size=50)
    caller = api(alice)
    for path in ("/v1/workflows/definitions", "/v1/workflows/types"):
        caller.get(path)
        tracemalloc.start()
        try:
            found = [each for each in caller.get(path).json() if each["name"] == "mine"]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert [each.get("version", 200) for each in found] == [200]
        assert peak < 3_000_000, "the texts of all versions are twelve million characters"


def test_one_that_an_earlier_version_took_stops_nothing_else(api, alice, workspace):
    long, odd = "#" * 300_000, "parameters: {properties: {p: {pattern: '(?=a)'}}}\n"
    for name, text in (("long", TWO + long), ("odd", TWO + odd)):
        WorkflowDefinition.objects.create(name=name, version=1, text=text)
    types = [each["name"] for each in api(alice).get("/v1/workflows/types").json()]
    assert "long" not in types and "odd" in types
    for name, field in (("long", "workflow_type"), ("odd", "parameters")):
        body = {"workspace": "production", "workflow_type": name, "parameters": {"p": "a"}}
        refused(api(alice).post("/v1/workflows/submit", body), 400, field=field if name == "odd" else "workflow_type")


def test_a_workflow_of_too_many_operations_is_refused(api, alice, workspace):
    each = "for_each: '{{ range(2000) | list }}', wait: {for: 0}"
    text = "title: T\nsteps:\n" + "".join(f"- {{name: s{n}, {each}}}\n" for n in range(3))
    api(alice).post("/v1/workflows/definitions", {"name": "mine", "text": text})
    body = {"workspace": "production", "workflow_type": "mine"}
    for more in ({}, {"check_mode": True}):
        assert "6000 operations" in refused(api(alice).post("/v1/workflows", body | more), 400)["message"]


def test_a_submission_of_much_work_is_refused(api, alice, workspace):
    much = "wait: {for: '{{ (range(999) | map(\"string\") | list | length) * 0 }}'}"
    text = "title: T\nsteps:\n" + "".join(f"- {{name: s{n}, {much}}}\n" for n in range(1500))
    assert api(alice).post("/v1/workflows/definitions", {"name": "mine", "text": text}).status_code == 200
    body = {"workspace": "production", "workflow_type": "mine"}
    assert "too much work" in refused(api(alice).post("/v1/workflows/submit", body), 400)["message"]


@pytest.mark.parametrize(
    "text",
    [
        "title: Old\nsteps:\n  - {wait: {for: 0}}\n",
        "steps:\n  - {name: a, wait: {for: 0}}\n",
        "title: Old\nsteps: {a: {wait: {for: 0}}}\n",
        "title: Old\nsteps:\n  - {name: a, needs: [b], wait: {for: 0}}\n  - {name: b, needs: [a], wait: {for: 0}}\n",
        "- Old\n",
    ],
)
def test_an_upload_that_this_version_cannot_read_spoils_no_list_and_says_why(api, alice, workspace, client, text):
    row = WorkflowDefinition.objects.create(name="old", version=1, text=text, uploaded_by=alice)
    caller = api(alice)
    assert "old" not in {each["name"] for each in caller.get("/v1/workflows/types").json()}
    problem = refused(
        caller.post("/v1/workflows/submit", {"workspace": "production", "workflow_type": "old"}),
        400,
        field="workflow_type",
    )
    assert problem["message"].startswith("old:")
    client.force_login(alice)
    for page in ("workflow/", "workflow/add/", "workflowdefinition/", f"workflowdefinition/{row.pk}/change/"):
        assert client.get(f"/admin/workflows/{page}", follow=True).status_code == 200, page
