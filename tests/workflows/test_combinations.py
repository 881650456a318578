"""Failures, outcomes, approvals, freeze windows and limits in one workflow."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.workflows.models import FreezeWindow, Step
from tests.conftest import user
from tests.workflows.conftest import step
from tests.workflows.running import ended, statuses

PARAMETERS = {"parameters": {"properties": {"fails": {"type": "integer", "default": 9}}}}
FAILS = {"fails": "{{ parameters.fails }}"}  # until it is resumed with none
ASK = {"name": "ask", "approve": {"message": "Go on?"}}


@pytest.fixture
def decide(api):
    """Approve or reject as a second operator, then do what is due."""
    olga = user("olga", "operator")

    def decided(operation, how):
        answer = api(olga).post(f"/v1/workflows/{operation['id']}/{how}", {})
        assert answer.status_code == 200, answer.content
        work()

    return decided


@pytest.fixture
def resume(api, alice):
    def resumed(operation, **body):
        answer = api(alice).post(f"/v1/workflows/{operation['id']}/resume", body)
        assert answer.status_code == 200, answer.content
        work()
        return answer.json()

    return resumed


def work():
    """Do what is due, without letting the time pass for which an approval waits."""
    while claimed := leases.claim(owner="node", max_count=100):
        for lease in claimed:
            runner.run(str(lease.operation_id), lease.fence)


def needs(name, outcome):
    return {"step": name, "outcome": outcome}


def freeze(workspace):
    now = timezone.now()
    return FreezeWindow.objects.create(
        workspace=workspace, reason="year's end", starts_at=now, ends_at=now + timedelta(hours=1)
    )


def test_stop_gives_up_an_approval_that_nothing_would_follow(define, submit, decide, resume, steps_of, world):
    define("w", steps=[ASK, step("b", ["ask"]), step("c", given=FAILS)], **PARAMETERS, on_failure="stop")
    operation = submit("w")
    work()
    assert ended(operation)[0] == "failed"
    assert statuses(steps_of(operation)) == {"ask": "cancelled", "b": "skipped", "c": "failed"}
    again = resume(operation, parameters={"fails": 0})
    decide(again, "approve")
    assert ended(again) == ("completed", None)
    assert sorted(world.made) == ["b", "c"]


def test_continue_goes_on_beside_a_rejected_approval(define, submit, decide, steps_of):
    handler = step("h", [needs("ask", "failure")])
    define("w", steps=[ASK, step("b", ["ask"]), step("c"), handler, step("d", ["c"])], on_failure="continue")
    operation = submit("w")
    work()
    assert statuses(steps_of(operation)) == {
        **{"ask": "running", "b": "waiting", "c": "completed"},
        **{"h": "waiting", "d": "completed"},
    }
    decide(operation, "reject")
    assert ended(operation)[0] == "failed"
    assert statuses(steps_of(operation)) == {
        **{"ask": "failed", "b": "skipped", "c": "completed"},
        **{"h": "completed", "d": "completed"},
    }


@pytest.mark.parametrize(("how", "handled"), [("approve", "completed"), ("reject", "skipped")])
def test_an_approval_may_stand_before_the_handling_of_a_failure(define, submit, decide, steps_of, world, how, handled):
    asked = {**ASK, "needs": [needs("b", "failure")]}
    handler = step("h", [needs("b", "failure"), "ask"])
    define("w", steps=[step("a"), step("b", ["a"], given={"fails": 9}), asked, handler])
    operation = submit("w")
    work()
    assert statuses(steps_of(operation))["ask"] == "running" and "a" in world.made  # nothing is taken back before
    decide(operation, how)
    assert ended(operation)[0] == "failed" and world.made == []
    assert statuses(steps_of(operation))["h"] == handled


def test_cancelling_takes_back_though_an_approval_waits(define, submit, api, alice, world):
    asked = {**ASK, "needs": [needs("a", "always")]}
    define("w", steps=[step("a"), asked, step("b", ["ask"])])
    operation = submit("w")
    work()
    assert world.made == ["a"]
    assert api(alice).post(f"/v1/workflows/{operation['id']}/cancel").status_code == 200
    work()
    assert ended(operation) == ("cancelled", None)
    assert world.made == []


@pytest.mark.parametrize("freed", ["deleted", "overridden"])
def test_a_freeze_holds_what_has_not_begun_and_nothing_else(
    define, submit, decide, resume, world, workspace, api, alice, freed
):
    define("asks", steps=[step("a"), {**ASK, "needs": ["a"]}, step("b", ["ask"])])
    define("fails", steps=[step("c"), step("d", ["c"], given=FAILS)], **PARAMETERS, on_failure="stop")
    asking, failing = submit("asks"), submit("fails")
    work()
    window = freeze(workspace)
    decide(asking, "approve")  # it has begun, so it goes on
    assert ended(asking) == ("completed", None)
    again = resume(failing, parameters={"fails": 0})  # a new workflow, so it waits
    assert sorted(world.made) == ["a", "b", "c", "d"]
    assert "held by a freeze window" in Operation.objects.get(pk=again["id"]).status_message
    if freed == "deleted":
        answer = api(alice).delete(f"/v1/freeze-windows/{window.pk}")
    else:
        answer = api(alice).post(f"/v1/workflows/{again['id']}/override-freeze", {"reason": "an outage"})
    assert answer.status_code == 200, answer.content
    work()
    assert ended(again) == ("completed", None)


def test_a_freeze_holds_a_resumed_workflow_anew(define, resume, world, workspace, api, alice):
    define("fails", steps=[step("c"), step("d", ["c"], given=FAILS)], **PARAMETERS, on_failure="stop")
    freeze(workspace)
    body = {"workspace": "production", "workflow_type": "fails", "override_freeze": "an outage"}
    operation = api(alice).post("/v1/workflows", body).json()
    work()
    assert (ended(operation)[0], world.made) == ("failed", ["c", "d"])
    again = resume(operation, parameters={"fails": 0})
    assert "held by a freeze window" in Operation.objects.get(pk=again["id"]).status_message
    assert world.made == ["c", "d"]


def test_a_freeze_keeps_nobody_from_taking_back(define, submit, world, workspace, api, alice):
    define("fails", steps=[step("c"), step("d", ["c"], given=FAILS)], **PARAMETERS, on_failure="stop")
    operation = submit("fails")
    work()
    freeze(workspace)
    assert api(alice).post(f"/v1/workflows/{operation['id']}/rollback").status_code == 200
    work()
    assert world.made == []


@pytest.mark.parametrize("where", ["workflow", "step"])
def test_handlers_and_rollbacks_keep_to_max_parallel(define, submit, world, where):
    limit = {"max_parallel": 1}
    many = {"for_each": [0, 1, 2], "given": {"name": "a[{{ item }}]"}, **(limit if where == "step" else {})}
    breaks = step("b", ["a"], given={"fails": 9})
    handlers = step("h", [needs("b", "failure")], **{**many, "given": {"name": "h[{{ item }}]"}})
    define("w", steps=[step("a", **many), breaks, handlers], **(limit if where == "workflow" else {}))
    operation = submit("w")
    most = 0
    while claimed := leases.claim(owner="node", max_count=100):
        for lease in claimed:
            runner.run(str(lease.operation_id), lease.fence)
            open_now = Operation.objects.unfinished().filter(parent=operation["id"])
            most = max(most, *(open_now.filter(pk__in=of).count() for of in groups(operation)))
    assert ended(operation)[0] == "failed" and world.made == []
    assert sum(line.startswith("+h") for line in world.history) == 3
    assert most == 1


def groups(operation):
    """The operations of each step that stands for many: those that make, and those that take back."""
    steps = Step.objects.filter(workflow=operation["id"])
    for prefix in ("a[", "h["):
        mine = steps.filter(name__startswith=prefix)
        yield [*mine.values_list("operation", flat=True), *mine.values_list("rollback_operation", flat=True)]
