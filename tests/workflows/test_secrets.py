"""A secret parameter of a workflow: a marker is planted, and looked for in all that is shown of the workflow."""

import json

import pytest
from django.urls import reverse

from apps.operations.models import Event, Operation
from apps.workflows.models import Schedule, Workflow
from tests.console import browser, listing, page
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.test_schedules import fire

MARKER = "correct-horse-battery"
PIN = 739155024
SCHEMA = {
    "properties": {
        "label": {"type": "string", "writeOnly": True},
        "pin": {"type": "integer", "writeOnly": True},
        "login": {"type": "object", "properties": {"key": {"type": "string", "writeOnly": True}}},
        "password": {"type": "string"},
    }
}
GIVEN = {"label": f"{MARKER}-1", "pin": PIN, "login": {"key": f"{MARKER}-2"}, "password": f"{MARKER}-3"}
DATA = "{{ parameters.label }} {{ parameters.login.key }} {{ parameters.password }}"
OUTPUTS = {"plain": DATA, "list": ["{{ parameters.label }}"], "of_step": "{{ steps.a.input.data }}"}


def told_of(client, caller, operation):
    """Everything that is shown of a workflow, by where."""
    key, row = operation["id"], Workflow.objects.get(pk=operation["id"])
    paths = ["", "/details", "/steps", "/graph.json", "/graph.svg"]
    answers = {path: caller.get(f"/v1/workflows/{key}{path}") for path in paths}
    for path in (f"/v1/operations/{key}", f"/v1/operations/{key}/events", "/v1/operations", "/v1/workflows"):
        answers[path] = caller.get(path)
    children = Operation.objects.filter(parent=key).values_list("pk", flat=True)
    for pk in children:
        answers |= {f"child {pk}{path}": caller.get(f"/v1/operations/{pk}{path}") for path in ("", "/events")}
        answers[f"page of {pk}"] = client.get(page(Operation.objects.get(pk=pk)))
    answers["operations.csv"] = client.post(
        listing(Operation), {"action": "export_csv", "_selected_action": [key, *children]}
    )
    answers["page"] = client.get(page(row))
    answers["form to run it again"] = client.get(
        reverse("admin:workflows_workflow_add"), {"type": row.type, "again": row.pk, "workspace": "production"}
    )
    answers["list"] = client.get(listing(Workflow))
    answers["csv"] = client.post(listing(Workflow), {"action": "export_csv", "_selected_action": [row.pk]})
    texts = {where: b"".join(answer).decode() for where, answer in answers.items()}
    columns = ("result", "error", "status_message", "error_code")
    return texts | {
        "log": str(list(Event.objects.values_list("message", "data"))),
        "rows": str(list(Operation.objects.values_list(*columns))),
    }


def leaks(texts):
    return [where for where, text in texts.items() if MARKER in text or str(PIN) in text]


@pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
def test_it_is_shown_nowhere(define, submit, run_worker, api, alice, fails):
    broken = [step("b", ["a"], when="{{ steps.a.input.data }}")] if fails else []  # whose error tells the value
    define("guarded", parameters=SCHEMA, outputs=OUTPUTS, steps=[step("a", given={"data": DATA}), *broken])
    operation = submit("guarded", **GIVEN)
    run_worker()
    assert Workflow.objects.get(pk=operation["id"]).operation.status == ("failed" if fails else "completed")
    texts = told_of(browser(alice), api(alice), operation)
    assert leaks(texts) == []
    assert "•••" in texts["/details"] and "•••" in texts["/steps"]


MADE = {
    "upper": "{{ parameters.label | upper }}",
    "part": "{{ parameters.login.key[8:13] }}",
    "joined": "{{ (parameters.label ~ parameters.password) | replace('-', '_') }}",
    "method": "{{ parameters.password.title() }}",
    "in_text": "<{{ parameters['label'] | reverse }}>",
    "sum": "{{ parameters.pin + 1000000000 }}",
}
TRACES = ["CORRECT", "horse", "Horse", "correct_", "-tcerroc", "1739155024"]


def test_what_an_expression_makes_of_it_is_shown_nowhere(define, submit, run_worker, api, alice, workspace):
    twice = {"lower": "{{ steps.a.input.data.upper | lower | replace('-', '+') }}", "each": "{{ item | upper }}"}
    steps = [
        step("a", uses="probe.blab", given={"data": MADE}),
        step("b", ["a"], uses="probe.blab", given={"data": twice}, for_each=["{{ parameters.password }}"]),
    ]
    define("guarded", parameters=SCHEMA, outputs={**MADE, "seen": "{{ steps.a.input.data.joined }}"}, steps=steps)
    about = {"workspace": "production", "workflow_type": "guarded", "parameters": GIVEN, "check_mode": True}
    preview = api(alice).post("/v1/workflows", about)
    operation = submit("guarded", **GIVEN)
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "completed"
    texts = told_of(browser(alice), api(alice), operation) | {"preview": preview.content.decode()}
    assert [(where, trace) for where, text in texts.items() for trace in [*TRACES, "+horse"] if trace in text] == []
    assert Workflow.objects.get(pk=operation["id"]).outputs["upper"] == f"{MARKER}-1".upper()


def test_what_is_only_chosen_by_a_secret_is_shown(define, submit, run_worker, steps_of):
    chosen = "{{ 'protected' if parameters.password else parameters.mode }}"
    data = {"mode": chosen, "login": "{{ {'user': 'admin', 'password': parameters.password} }}"}
    schema = {"properties": {**SCHEMA["properties"], "mode": {"type": "string"}}}
    define("guarded", parameters=schema, steps=[step("a", given={"data": data})])
    operation = submit("guarded", **GIVEN, mode="public")
    run_worker()
    shown = steps_of(operation)["a"]["input"]["data"]
    assert shown == {"mode": "protected", "login": {"user": "admin", "password": "•••"}}


def test_expressions_that_make_very_many_secrets_are_refused(define, api, alice, workspace):
    each = {"data": "{{ (parameters.label ~ item) | upper }}"}
    define("guarded", parameters=SCHEMA, steps=[step("a", for_each="{{ range(300) | list }}", given=each)])
    about = {"workspace": "production", "workflow_type": "guarded", "parameters": GIVEN}
    said = refused(api(alice).post("/v1/workflows/submit", about), 400, field="parameters")
    assert "more than 200 other values of its secret parameters" in said["message"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"label": "abc"}, "label"),
        ({"pin": 123}, "pin"),
        ({"login": {"key": "x"}}, "login.key"),
        ({"password": "a"}, "password"),
    ],
)
def test_one_too_short_to_be_hidden_is_refused(define, api, alice, workspace, given, field):
    define("guarded", parameters=SCHEMA, steps=[step("a")])
    about = {"workspace": "production", "workflow_type": "guarded", "parameters": given}
    said = refused(api(alice).post("/v1/workflows/submit", about), 400, field=f"parameters.{field}")
    assert "at least 4 characters" in said["message"]
    refused(api(alice).post("/v1/schedules", about | {"name": "nightly", "cron": "0 4 * * *"}), 400)


def test_it_is_hidden_in_previews_and_schedules(define, api, alice, workspace):
    define("guarded", parameters=SCHEMA, outputs=OUTPUTS, steps=[step("a", given={"data": DATA})])
    caller, about = api(alice), {"workspace": "production", "workflow_type": "guarded", "parameters": GIVEN}
    preview = caller.post("/v1/workflows", about | {"check_mode": True})
    made = caller.post("/v1/schedules", about | {"name": "nightly", "cron": "0 4 * * *"})
    answers = [preview, made, caller.get(f"/v1/schedules/{made.json()['id']}"), caller.get("/v1/schedules")]
    assert [
        answer.content for answer in answers if MARKER in answer.content.decode() or str(PIN) in str(answer.json())
    ] == []


def test_what_goes_on_with_the_outputs_has_them_whole(define, submit, run_worker, api, alice):
    inner = {"properties": {"password": {"type": "string"}}}
    define("inner", parameters=inner, outputs={"made": "{{ parameters.password }}"}, steps=[step("a")])
    child = {"name": "child", "workflow": "inner", "with": {"password": MARKER}}
    after = step("b", ["child"], given={"data": "{{ steps.child.result.made }}"})
    define("outer", steps=[child, after])
    submit("outer")
    run_worker()
    given = {each.params["name"]: each.params["data"] for each in Operation.objects.filter(kind="probe.make")}
    assert given["b"] == MARKER
    inner = Operation.objects.get(kind="workflow.run", parent__isnull=False)
    assert MARKER not in json.dumps(inner.result) and inner.workflow.outputs == {"made": MARKER}


def test_an_approval_does_not_show_it(define, submit, api, alice, run_worker):
    ask = {"name": "ask", "approve": {"message": f"Use {DATA}?", "timeout": 0.01}}
    define("guarded", parameters=SCHEMA, steps=[ask])
    operation = submit("guarded", **GIVEN)
    run_worker()
    assert leaks(told_of(browser(alice), api(alice), operation)) == []


@pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
def test_an_operation_that_tells_its_own_input_does_not_tell_it(define, submit, run_worker, api, alice, fails):
    blab = step("a", uses="probe.blab", given={"data": DATA, "refused": "yes" if fails else ""})
    after = step("b", ["a"], given={"data": "{{ steps.a.result.data }}"})
    define("guarded", parameters=SCHEMA, outputs=OUTPUTS, steps=[blab, after])
    operation = submit("guarded", **GIVEN)
    run_worker()
    assert Operation.objects.get(kind="probe.blab").status == ("failed" if fails else "completed")
    texts = told_of(browser(alice), api(alice), operation)
    assert leaks(texts) == [] and texts["log"].count("•••") > 8
    given = [each.params["data"] for each in Operation.objects.filter(kind="probe.make")]
    assert given == ([] if fails else [f"{MARKER}-1 {MARKER}-2 {MARKER}-3"])


def test_a_workflow_inside_shows_no_secret_of_the_one_around(define, submit, run_worker, api, alice):
    define("inner", parameters={"properties": {"data": {}}}, steps=[inner_step()])
    define("outer", parameters=SCHEMA, steps=[{"name": "child", "workflow": "inner", "with": {"data": DATA}}])
    submit("outer", **GIVEN)
    run_worker()
    inner = Operation.objects.get(kind="workflow.run", parent__isnull=False)
    assert inner.status == "completed"
    assert leaks(told_of(browser(alice), api(alice), {"id": str(inner.pk)})) == []


def inner_step():
    return step("a", uses="probe.blab", given={"data": "{{ parameters.data }}"})


def test_a_workflow_that_goes_on_shows_no_secret_of_the_one_before(define, submit, run_worker, api, alice):
    define("guarded", parameters=SCHEMA, steps=[step("a", given={"data": DATA}), step("b", ["a"], given={"fails": 1})])
    operation = submit("guarded", **GIVEN)
    run_worker()
    other = {**GIVEN, "label": "another-label", "login": {}, "password": "another-password"}
    answer = api(alice).post(f"/v1/workflows/{operation['id']}/resume", {"parameters": other})
    assert answer.status_code == 200, answer.content
    run_worker()
    assert leaks(told_of(browser(alice), api(alice), answer.json())) == []


def test_a_workflow_that_changes_what_is_there_shows_no_secret_of_its_creator(define, submit, run_worker, api, alice):
    both = {"target": "thing", "parameters": SCHEMA}
    define("make", **both, effect="create", outputs={"made": DATA}, steps=[step("a")])
    told = {"data": "{{ existing.made }} {{ existing.parameters.label }}"}
    define("change", target="thing", effect="change", steps=[step("a", uses="probe.blab", given=told)])
    submit("make", **GIVEN)
    run_worker()
    about = {"workspace": "production", "workflow_type": "change", "parameters": {}, "check_mode": True}
    preview = api(alice).post("/v1/workflows", about)
    operation = submit("change")
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "completed"
    texts = told_of(browser(alice), api(alice), operation) | {"preview": preview.content.decode()}
    assert leaks(texts) == []


def test_a_schedule_that_is_refused_does_not_tell_it(define, api, alice, workspace):
    define("guarded", parameters=SCHEMA, steps=[step("a", given={"data": "{{ parameters.label }}"})])
    about = {"workspace": "production", "workflow_type": "guarded", "parameters": GIVEN}
    made = api(alice).post("/v1/schedules", about | {"name": "nightly", "cron": "0 4 * * *"})
    narrower = {"properties": {**SCHEMA["properties"], "label": {"writeOnly": True, "enum": ["other"]}}}
    define("guarded", parameters=narrower, steps=[step("a")])
    ended = fire(Schedule.objects.get(pk=made.json()["id"]))
    assert ended.status == "failed" and "label" in ended.error and MARKER not in ended.error


def test_the_form_of_a_schedule_shows_none_and_keeps_all(define, api, alice, workspace):
    define("guarded", parameters=SCHEMA, steps=[step("a", given={"data": DATA})])
    about = {"workspace": "production", "workflow_type": "guarded", "parameters": GIVEN}
    made = api(alice).post("/v1/schedules", about | {"name": "nightly", "cron": "0 4 * * *"})
    row, client = Schedule.objects.get(pk=made.json()["id"]), browser(alice)
    form = reverse("admin:workflows_schedule_edit", args=[row.pk])
    assert leaks({"form": client.get(form).content.decode()}) == []
    times = {"name": "weekly", "cron": "0 4 * * 1", "time_zone": "UTC", "overlap": "skip"}
    assert client.post(form, times | {"parameter-pin": "1234"}).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.parameters) == ("weekly", GIVEN | {"pin": 1234})
