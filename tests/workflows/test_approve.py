"""Steps that wait for a person, and steps that wait for a time."""

import re

import pytest
from django.utils.html import strip_tags

from apps.operations.models import Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.workflows.handlers.approvals import seconds_text
from apps.workflows.models import Step, Workflow
from tests.conftest import user
from tests.console import browser, page
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, statuses


@pytest.fixture
def olga(db):
    """A second operator."""
    return user("olga", "operator")


@pytest.fixture
def begin(define, submit):
    """Submit a workflow of two steps with an approval between them, and run it up to that."""

    def begun(**approve):
        middle = {"name": "ask", "approve": {"message": "Make b now?", **approve}, "needs": ["a"]}
        define("asking", steps=[step("a"), middle, step("b", ["ask"])])
        operation = submit("asking")
        for _ in range(2):
            run_one(operation["id"])
            for child in Operation.objects.filter(parent=operation["id"], due_at__isnull=False):
                run_one(child.pk)
        run_one(operation["id"])
        assert Step.objects.get(workflow=operation["id"], name="ask").operation_id
        return operation

    return begun


def test_it_waits_for_an_approval_and_says_so(begin, api, olga, alice, run_worker, steps_of):
    operation = begin()
    row = Operation.objects.get(pk=operation["id"])
    child = Step.objects.get(name="ask").operation
    assert row.status_message == "waiting for step ask"
    assert row.deadline_at is None  # a person may take as long as they like
    assert "approval by somebody with workflow_cancel: Make b now?" in wait_reason(child).message
    shown = api(alice).get("/v1/workflows?waiting=approval").json()
    assert [each["id"] for each in shown] == [operation["id"]]
    answer = api(olga).post(f"/v1/workflows/{operation['id']}/approve", {"comment": "go"})
    assert answer.json()["id"] == operation["id"]
    run_worker()
    assert ended(operation) == ("completed", None)
    result = steps_of(operation)["ask"]["result"]
    assert (result["approved"], result["by"], result["comment"]) == (True, "olga", "go")
    assert "Step ask approved by olga: go." in row.events.values_list("message", flat=True)
    assert api(alice).get("/v1/workflows?waiting=approval").json() == []


def test_its_page_tells_what_is_to_be_approved_and_by_whom(begin, olga, alice):
    operation = begin(timeout=3600)
    own, html = (
        strip_tags(browser(person).get(page(Workflow.objects.get(pk=operation["id"]))).content.decode())
        for person in (alice, olga)
    )
    assert "Make b now?" in own and "Make b now?" in html
    assert "may not approve it; ask somebody else" in own and "ask somebody else" not in html
    assert re.search(
        r"Waiting for an approval by somebody who may cancel workflows, until [\d: -]+ UTC \(in 59 m", html
    )


def test_a_rejection_fails_the_step(begin, api, olga, run_worker, world):
    operation = begin()
    assert api(olga).post(f"/v1/workflows/{operation['id']}/reject", {"comment": "too late"}).status_code == 200
    run_worker()
    assert ended(operation) == ("failed", "Step ask failed: olga rejected it: too late. Rolled back: a.")
    assert world.made == []


def test_whoever_submitted_may_not_approve_unless_it_says_so(begin, api, alice, run_worker):
    operation = begin()
    refused(api(alice).post(f"/v1/workflows/{operation['id']}/approve", {}), 403)
    assert api(alice).post(f"/v1/workflows/{operation['id']}/reject", {}).status_code == 200
    run_worker()
    again = begin(by_submitter=True)
    assert api(alice).post(f"/v1/workflows/{again['id']}/approve", {}).status_code == 200
    run_worker()
    assert ended(again) == ("completed", None)


def test_it_asks_for_the_permission_of_the_definition(begin, api, olga, root):
    operation = begin(permission="workspace_create")
    body = refused(api(olga).post(f"/v1/workflows/{operation['id']}/approve", {}), 403)
    assert "workspace_create" in body["message"]
    assert api(root).post(f"/v1/workflows/{operation['id']}/approve", {}).status_code == 200


def test_it_names_the_steps_that_wait_where_another_is_meant(begin, api, olga):
    path = f"/v1/workflows/{begin()['id']}/approve"
    body = refused(api(olga).post(path, {"step": "b"}), 409)
    assert body["message"] == "Step b does not wait for an approval; what does: ask."
    assert api(olga).post(path, {"step": "ask"}).status_code == 200


def test_it_is_decided_once(begin, api, olga, root):
    operation = begin()
    assert api(olga).post(f"/v1/workflows/{operation['id']}/approve", {}).status_code == 200
    refused(api(root).post(f"/v1/workflows/{operation['id']}/reject", {}), 409)


@pytest.mark.parametrize(
    ("then", "came_to"),
    [
        ("approve", ("completed", None)),
        ("reject", ("failed", "Step ask failed: Nobody approved it within 0.001 seconds. Rolled back: a.")),
    ],
)
def test_an_expired_approval_does_what_the_definition_says(begin, run_worker, then, came_to):
    operation = begin(timeout=0.001, then=then)
    run_worker()
    assert ended(operation) == came_to


@pytest.mark.parametrize(("seconds", "text"), [(1, "1 second"), (2, "2 seconds"), (0.5, "0.5 seconds")])
def test_one_second_is_singular(seconds, text):
    assert seconds_text(seconds) == text


def test_it_is_cancelled_while_it_waits(begin, api, alice, run_worker, world):
    operation = begin()
    assert api(alice).post(f"/v1/workflows/{operation['id']}/cancel").json()["status"] == "cancelled"
    run_worker()
    assert Operation.objects.unfinished().count() == 0
    assert world.made == []


def test_it_refuses_to_decide_where_nothing_waits(define, submit, api, alice, workspace):
    define("plain", steps=[step("a")])
    operation = submit("plain")
    refused(api(alice).post(f"/v1/workflows/{operation['id']}/approve", {}), 409)


def test_it_waits_for_seconds_and_until_a_time(define, submit, run_worker, steps_of):
    define(
        "waits",
        steps=[
            {"name": "moment", "wait": {"for": 0.01}},
            {"name": "past", "wait": {"until": "2020-01-01T00:00:00Z"}, "needs": ["moment"]},
        ],
    )
    operation = submit("waits")
    run_worker()
    assert ended(operation) == ("completed", None)
    assert statuses(steps_of(operation)) == {"moment": "completed", "past": "completed"}


def test_a_wait_holds_no_worker_and_costs_no_time(define, submit):
    define("waits", steps=[{"name": "long", "wait": {"until": "2999-01-01T00:00:00Z"}}])
    operation = submit("waits")
    run_one(operation["id"])
    child = Step.objects.get().operation
    run_one(child.pk)
    child.refresh_from_db()
    assert (child.lease_owner, child.deadline_at) == ("", None)
    assert child.status_message == "waiting until 2999-01-01T00:00:00Z"


@pytest.mark.parametrize("wait", [{"for": -1}, {"until": "soon"}, {"for": "{{ 'x' }}"}])
def test_it_refuses_a_wait_that_makes_no_sense(define, api, alice, workspace, wait):
    with_error = None
    try:
        define("waits", steps=[{"name": "w", "wait": wait}])
    except ValueError as error:
        with_error = error
    if with_error is None:
        body = {"workspace": "production", "workflow_type": "waits"}
        refused(api(alice).post("/v1/workflows/submit", body), 400)


# ── leaving it out ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def waiting(define, submit, api, alice):
    """A workflow whose approval cannot begin yet."""
    ask = {"name": "ask", "approve": {"message": "Make b now?"}, "needs": ["a"]}
    define("asking", steps=[step("a"), ask, step("b", ["ask"])])
    return submit("asking")


def test_who_may_not_approve_may_not_skip_an_approval(waiting, api, alice, olga, dora):
    address = f"/v1/workflows/{waiting['id']}/steps/ask/skip"
    refused(api(dora).post(address, {"reason": "in a hurry"}), 403)
    assert "ask somebody else" in refused(api(alice).post(address, {"reason": "in a hurry"}), 403)["message"]
    assert api(olga).post(address, {"reason": "agreed by phone"}).status_code == 200


def advance(operation, rounds=4):
    """Run a workflow and the operations of its steps, each so many times."""
    for _ in range(rounds):
        run_one(operation["id"])
        for child in Operation.objects.unfinished().filter(parent=operation["id"]):
            run_one(child.pk)


def test_nor_resume_without_it(waiting, api, alice, olga, dora):
    api(alice).post(f"/v1/workflows/{waiting['id']}/cancel")
    advance(waiting)
    address, body = f"/v1/workflows/{waiting['id']}/resume", {"skip": ["ask"]}
    for person in (dora, alice):
        refused(api(person).post(address, body), 403)
        refused(api(person).post(f"/v1/workflows/{waiting['id']}/steps/ask/skip", {"reason": "x"}), 403)
    assert api(olga).post(address, body).status_code == 200


def test_parameters_are_changed_after_an_approval_by_those_who_could_give_it(define, submit, api, alice, olga, dora):
    data = {"type": "object", "properties": {"b": {"type": "string", "default": "harmless"}}}
    ask = {"name": "ask", "approve": {"message": "Make b now?"}}
    last = step("b", ["ask"], given={"data": "{{ parameters.b }}", "fails": 1})
    define("asking", parameters=data, on_failure="stop", steps=[ask, last])
    operation = submit("asking")
    advance(operation)
    api(olga).post(f"/v1/workflows/{operation['id']}/approve")
    advance(operation)
    address, body = f"/v1/workflows/{operation['id']}/resume", {"parameters": {"b": "harmful"}}
    for person in (alice, dora):
        refused(api(person).post(address, body), 403)
    assert api(olga).post(address, body).status_code == 200
