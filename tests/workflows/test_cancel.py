import pytest

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.workflows.models import Step
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, run_round, statuses

CHAIN = [step("a"), step("b", ["a"]), step("c", ["b"])]


@pytest.fixture
def cancel(api, alice):
    def cancelled(operation, status=200):
        answer = api(alice).post(f"/v1/workflows/{operation['id']}/cancel")
        assert answer.status_code == status, answer.content
        return answer.json()

    return cancelled


@pytest.fixture
def until(define, submit, world):
    """Run a chain of steps until the named one is under way."""

    def run(name, steps=CHAIN):
        define("chain", steps=steps)
        world.held.add(name)
        operation = submit("chain")
        while not Step.objects.filter(name=name, status="running", operation__status="running").exists():
            run_round(operation)
        world.held.discard(name)
        return operation

    return run


def test_it_leaves_nothing_of_a_pending_one(define, submit, cancel, run_worker, world, steps_of):
    define("chain", steps=CHAIN)
    operation = submit("chain")
    answer = cancel(operation)
    assert list(answer) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert (answer["status"], answer["result"], answer["error"]) == ("cancelled", None, None)
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.history == []
    assert statuses(steps_of(operation)) == dict.fromkeys("abc", "cancelled")
    assert Operation.objects.count() == 1


def test_it_takes_back_between_two_steps(until, cancel, run_worker, world, steps_of):
    operation = until("b")
    for child in Operation.objects.filter(parent=operation["id"], status="running"):
        run_one(child.pk)
    assert not Operation.objects.filter(parent=operation["id"]).unfinished().exists()
    assert cancel(operation)["status"] == "cancelled"
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.history == ["+a", "+b", "-b", "-a"]
    assert statuses(steps_of(operation)) == {"a": "completed", "b": "completed", "c": "cancelled"}


def test_it_stops_what_is_under_way_then_takes_back_the_rest(until, cancel, run_worker, world, steps_of):
    operation = until("c")
    assert cancel(operation)["status"] == "cancelled"
    assert Step.objects.get(name="c").operation.status == "cancelled"
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.history == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert statuses(steps_of(operation)) == {"a": "completed", "b": "completed", "c": "cancelled"}


def test_it_does_the_same_through_the_operation(until, api, alice, run_worker, world):
    operation = until("c")
    answer = api(alice).post(f"/v1/operations/{operation['id']}/cancel")
    assert answer.json()["status"] == "cancelled"
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.made == []


def test_it_waits_for_the_undoing_of_what_was_under_way(until, cancel, run_worker, world):
    operation = until("c")
    world.held.add("c!")
    cancel(operation)
    child = Step.objects.get(name="c").operation
    for _ in range(3):
        run_one(child.pk)
        run_one(operation["id"])
    assert Operation.objects.get(pk=operation["id"]).is_undoing
    assert "-b" not in world.history
    world.held.clear()
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.history[-3:] == ["-c", "-b", "-a"]


def test_it_names_what_it_cannot_take_back(until, cancel, run_worker, world):
    marked = [step("a"), step("m", ["a"], uses="probe.mark"), step("c", ["m"])]
    operation = until("c", marked)
    world.stuck.add("a")
    cancel(operation)
    run_worker()
    error = "Cancelled, but not everything could be undone: left are a (a does not move), m (nothing takes that back)."
    assert ended(operation) == ("cancelled", error)
    assert sorted(world.made) == ["a", "m"]


def test_it_names_what_a_step_could_not_undo(until, cancel, run_worker, world):
    operation = until("c")
    world.stuck.add("c")
    cancel(operation)
    run_worker()
    status, error = ended(operation)
    assert (status, "left are c (" in error, "c does not move" in error) == ("cancelled", True, True)
    assert world.made == ["c"]


def test_it_asks_a_step_in_a_worker_to_stop(until, cancel, run_worker, world, settings):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 0.2}
    operation = until("c")
    child = Step.objects.get(name="c").operation
    Operation.objects.filter(pk=child.pk).update(lease_owner="a worker", due_at=leases.in_seconds(60))
    assert cancel(operation)["status"] == "cancelled"
    child.refresh_from_db()
    assert (child.status, child.cancel_requested_at is not None) == ("running", True)
    run_one(operation["id"])
    assert Operation.objects.get(pk=operation["id"]).is_undoing
    Operation.objects.filter(pk=child.pk).update(lease_owner="")
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.made == []


def test_it_takes_up_a_rollback_that_had_begun(until, define, submit, cancel, run_worker, world):
    define("breaks", steps=[step("a"), step("b", ["a"], given={"fails": 9})])
    world.held.add("a!")
    operation = submit("breaks")
    while not Step.objects.filter(name="a", rollback="running", rollback_operation__status="running").exists():
        run_round(operation)
    assert cancel(operation)["status"] == "cancelled"
    world.held.clear()
    run_worker()
    assert ended(operation) == ("cancelled", None)
    assert world.made == []
    assert Operation.objects.filter(kind="probe.unmake", params={"name": "a"}).count() == 1


def test_it_refuses_to_cancel_what_has_ended(define, submit, cancel, run_worker):
    define("chain", steps=CHAIN)
    operation = submit("chain")
    run_worker()
    assert cancel(operation, status=409)["error"] == "CONFLICT"
    assert ended(operation) == ("completed", None)


def test_undoing_run_twice_changes_nothing(until, cancel, world):
    operation = until("c")
    cancel(operation)
    child = Step.objects.get(name="c").operation
    run_one(child.pk)
    run_one(operation["id"])
    run_one(operation["id"])
    assert Operation.objects.filter(kind="probe.unmake").count() == 1
