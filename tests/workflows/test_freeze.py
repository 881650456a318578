"""Freeze windows hold workflows back, say so, and can be overridden."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.operations.queue import leases
from apps.workflows.models import FreezeWindow
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one


@pytest.fixture
def freeze(api, alice, workspace):
    def frozen(minutes=60, **more):
        ends_at = (timezone.now() + timedelta(minutes=minutes)).isoformat()
        body = {"workspace": "production", "reason": "end of year", "ends_at": ends_at, **more}
        answer = api(alice).post("/v1/freeze-windows", body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return frozen


@pytest.fixture
def plain(define, submit):
    define("plain", steps=[step("a")])
    return lambda: submit("plain")


def test_it_holds_a_workflow_back_and_says_so(freeze, plain, world):
    window = freeze()
    operation = plain()
    run_one(operation["id"])
    row = Operation.objects.get(pk=operation["id"])
    assert world.made == []
    assert wait_reason(row).message == f"Waiting: held by a freeze window until {window['ends_at']}: end of year"
    assert row.deadline_at is None


def test_it_goes_on_when_the_window_is_over(freeze, plain, run_worker, world):
    window = freeze()
    operation = plain()
    run_one(operation["id"])
    past = timezone.now() - timedelta(seconds=1)
    FreezeWindow.objects.filter(pk=window["id"]).update(starts_at=past - timedelta(hours=1), ends_at=past)
    run_worker()
    assert ended(operation) == ("completed", None)


def test_deleting_the_window_lets_it_go_on_at_once(freeze, plain, api, alice, world):
    window = freeze()
    operation = plain()
    run_one(operation["id"])
    assert api(alice).delete(f"/v1/freeze-windows/{window['id']}").status_code == 200
    assert [lease.operation_id for lease in leases.claim(owner="next", max_count=5)] == [
        Operation.objects.get(pk=operation["id"]).pk
    ]


def test_it_is_overridden_with_a_reason_that_is_logged(freeze, plain, api, alice, dora, run_worker):
    freeze()
    operation = plain()
    run_one(operation["id"])
    path = f"/v1/workflows/{operation['id']}/override-freeze"
    refused(api(dora).post(path, {"reason": "now"}), 403)
    for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": "\u3000\u200b"}):
        refused(api(alice).post(path, body), 400, field="reason")
    assert api(alice).post(path, {"reason": "an outage"}).status_code == 200
    run_worker()
    assert ended(operation) == ("completed", None)
    messages = Operation.objects.get(pk=operation["id"]).events.values_list("message", flat=True)
    assert "alice overrides the freeze window: an outage" in messages


def test_it_is_overridden_at_submission(freeze, plain, api, alice, dora, run_worker):
    freeze()
    body = {"workspace": "production", "workflow_type": "plain", "override_freeze": "an outage"}
    refused(api(dora).post("/v1/workflows", body), 403)
    operation = api(alice).post("/v1/workflows", body).json()
    run_worker()
    assert ended(operation) == ("completed", None)


def test_what_has_begun_goes_on(freeze, define, submit, run_worker):
    define("chain", steps=[step("a"), step("b", ["a"])])
    operation = submit("chain")
    run_one(operation["id"])
    freeze()
    run_worker()
    assert ended(operation) == ("completed", None)


def test_a_held_workflow_can_be_cancelled(freeze, plain, api, alice):
    freeze()
    operation = plain()
    run_one(operation["id"])
    assert api(alice).post(f"/v1/workflows/{operation['id']}/cancel").json()["status"] == "cancelled"


def test_a_window_in_the_future_holds_nothing(freeze, plain, run_worker):
    freeze(minutes=120, starts_at=(timezone.now() + timedelta(hours=1)).isoformat())
    operation = plain()
    run_worker()
    assert ended(operation) == ("completed", None)


def test_it_refuses_a_window_that_ends_before_it_begins(api, alice, workspace):
    body = {"workspace": "production", "reason": "x", "ends_at": "2020-01-01T00:00:00Z"}
    refused(api(alice).post("/v1/freeze-windows", body), 400, field="ends_at")


def test_nothing_is_overridden_where_nothing_holds(plain, api, alice):
    operation = plain()
    refused(api(alice).post(f"/v1/workflows/{operation['id']}/override-freeze", {"reason": "x"}), 409)
