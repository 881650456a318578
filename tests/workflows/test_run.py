import pytest

from apps.operations import transitions
from apps.operations.errors import LeaseLost
from apps.operations.handler_api import Context, Lease
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.workflows.handlers import run
from apps.workflows.models import Step
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, run_round, statuses

CHAIN = [step("a"), step("b", ["a"], given={"data": "{{ steps.a.result.size }}"}), step("c", ["b"])]


def test_it_passes_results_on_and_gives_out_outputs(define, submit, run_worker, world):
    define("chain", steps=CHAIN, outputs={"sizes": ["{{ steps.a.result.size }}", "{{ steps.c.result.name }}"]})
    operation = submit("chain")
    run_worker()
    assert ended(operation) == ("completed", None)
    assert Operation.objects.get(pk=operation["id"]).result == {"sizes": [1, "c"]}
    assert Operation.objects.get(params__contains='"b"').params["data"] == 1
    assert world.history == ["+a", "+b", "+c"]


def test_it_says_what_it_waits_for_and_logs_each_step(define, submit, world):
    define("chain", steps=CHAIN)
    world.held.add("a")
    operation = submit("chain")
    run_one(operation["id"])
    row = Operation.objects.get(pk=operation["id"])
    assert row.status_message == "waiting for step a"
    messages = list(row.events.values_list("message", flat=True))
    assert messages[-1] == "Step a started: Make."


def test_it_is_woken_by_the_end_of_a_step(define, submit, world):
    define("chain", steps=CHAIN)
    operation = submit("chain")
    run_one(operation["id"])
    row = Operation.objects.get(pk=operation["id"])
    before = row.due_at
    run_one(row.children.get().pk)
    row.refresh_from_db()
    assert row.due_at < before
    assert leases.claim(owner="next", max_count=1)[0].operation_id == row.pk


def test_its_handler_run_twice_changes_nothing(define, submit, world):
    define("many", steps=[step("many", for_each=[1, 2, 3], given={"name": "n{{ item }}"})])
    operation = submit("many")
    [lease] = leases.claim(owner="twice", max_count=10)
    row = transitions.set_running(lease)
    first = run.run_workflow(Context(row, lease, transitions.write))
    states = list(Step.objects.values_list("name", "status", "operation", "attempt"))
    second = run.run_workflow(Context(row, lease, transitions.write))
    assert first == second
    assert list(Step.objects.values_list("name", "status", "operation", "attempt")) == states
    assert Operation.objects.filter(parent=operation["id"]).count() == 3


def test_it_starts_nothing_once_its_lease_is_lost(define, submit):
    define("chain", steps=CHAIN)
    submit("chain")
    [lease] = leases.claim(owner="first", max_count=10)
    row = transitions.set_running(lease)
    stale = Context(row, Lease(row.pk, lease.fence - 1), transitions.write)
    with pytest.raises(LeaseLost):
        run.run_workflow(stale)
    assert Step.objects.get(name="a").status == "waiting"
    assert Operation.objects.count() == 1


def test_it_starts_many_in_turns(define, submit, run_worker, world):
    define("many", steps=[step("many", for_each="{{ range(120) }}", given={"name": "n{{ item }}"})])
    operation = submit("many")
    run_one(operation["id"])
    assert Step.objects.filter(status="running").count() == run.MAX_ACTIONS
    run_worker()
    assert ended(operation) == ("completed", None)
    assert len(world.made) == 120


def test_it_expands_over_results(define, submit, run_worker, world, steps_of):
    listing = step("list", given={"data": 1})
    each = step("each", ["list"], for_each="{{ range(steps.list.result.size) }}", given={"name": "e{{ item }}"})
    define("grow", steps=[listing, each], outputs={"all": "{{ steps.each.result | map(attribute='name') }}"})
    operation = submit("grow")
    assert list(steps_of(operation)) == ["list"]
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).result == {"all": ["e0", "e1", "e2", "e3"]}
    assert list(steps_of(operation)) == ["list", "each[0]", "each[1]", "each[2]", "each[3]"]


def test_it_skips_steps_whose_condition_is_false(define, submit, run_worker, steps_of):
    define("maybe", steps=[step("a", when="{{ 1 > 2 }}"), step("b", ["a"])])
    operation = submit("maybe")
    run_worker()
    assert ended(operation) == ("completed", None)
    assert statuses(steps_of(operation)) == {"a": "skipped", "b": "completed"}


# ── failing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
BREAKS = [step("a"), step("b", ["a"]), step("c", ["b"], given={"fails": 9}), step("d", ["c"]), step("e")]


def test_it_rolls_back_in_reverse(define, submit, run_worker, world, steps_of):
    define("breaks", steps=BREAKS)
    operation = submit("breaks")
    run_worker()
    assert ended(operation) == ("failed", "Step c failed: c broke. Rolled back: a, b, c, e.")
    assert Operation.objects.get(pk=operation["id"]).error_code == "STEP_FAILED"
    assert world.made == []
    assert [line for line in world.history if line in ("-c", "-b", "-a")] == ["-c", "-b", "-a"]
    assert statuses(steps_of(operation)) == {
        "a": "completed",
        "b": "completed",
        "c": "failed",
        "d": "skipped",
        "e": "completed",
    }
    assert steps_of(operation)["a"]["rollback_operation_id"]


def test_it_names_what_could_not_be_rolled_back(define, submit, run_worker, world):
    define("breaks", steps=[step("a"), step("m", uses="probe.mark"), step("c", ["a", "m"], given={"fails": 9})])
    world.stuck.add("a")
    operation = submit("breaks")
    run_worker()
    error = "Step c failed: c broke. Rolled back: c. Left: a (a does not move), m (nothing takes that back)."
    assert ended(operation) == ("failed", error)
    assert sorted(world.made) == ["a", "m"]


def test_it_takes_what_is_gone_as_rolled_back(define, submit, run_worker):
    define("breaks", steps=[step("a", given={"name": "forgotten"}), step("b", ["a"], given={"fails": 9})])
    operation = submit("breaks")
    run_worker()
    assert ended(operation) == ("failed", "Step b failed: b broke. Rolled back: a, b.")


def test_it_stops_what_runs_before_it_rolls_back(define, submit, run_worker, world, steps_of):
    define("breaks", steps=[step("long"), step("b", given={"fails": 9})])
    world.held.add("long")
    operation = submit("breaks")
    run_worker()
    assert ended(operation)[0] == "failed"
    assert statuses(steps_of(operation)) == {"long": "cancelled", "b": "failed"}
    assert world.made == []


def test_it_keeps_what_it_has_on_stop(define, submit, run_worker, world, steps_of):
    define("breaks", steps=BREAKS, on_failure="stop")
    operation = submit("breaks")
    run_worker()
    assert ended(operation) == ("failed", "Step c failed: c broke. Completed and kept: a, b, e.")
    assert statuses(steps_of(operation))["d"] == "skipped"
    assert sorted(world.made) == ["a", "b", "c", "e"]


def test_it_lets_running_steps_end_on_stop(define, submit, run_worker, world):
    define("breaks", steps=[step("long"), step("b", given={"fails": 9})], on_failure="stop")
    world.held.add("long")
    operation = submit("breaks")
    for child in [operation["id"], Operation.objects.get(pk=operation["id"]).pk]:
        run_one(child)
    for child in Operation.objects.filter(parent=operation["id"]):
        run_one(child.pk)
    run_one(operation["id"])
    assert Operation.objects.get(pk=operation["id"]).status == "running"
    world.held.clear()
    run_worker()
    assert ended(operation) == ("failed", "Step b failed: b broke. Completed and kept: long.")


def test_it_goes_on_past_a_failure_on_continue(define, submit, run_worker, world, steps_of):
    define("breaks", steps=[*BREAKS, step("f", ["e"])], on_failure="continue")
    operation = submit("breaks")
    run_worker()
    assert ended(operation) == ("failed", "Step c failed: c broke. Completed and kept: a, b, e, f.")
    steps = steps_of(operation)
    assert statuses(steps) == {
        "a": "completed",
        "b": "completed",
        "c": "failed",
        "d": "skipped",
        "e": "completed",
        "f": "completed",
    }
    assert steps["d"]["error"] == "a step that it needs has failed"


def test_it_fails_the_step_that_is_refused_at_submit(define, submit, run_worker, steps_of):
    define("refused", steps=[step("a"), step("b", ["a"], given={"refused": "conflict"})])
    operation = submit("refused")
    run_worker()
    assert ended(operation) == ("failed", "Step b failed: The name b is taken. Rolled back: a.")
    assert steps_of(operation)["b"]["operation_id"] is None


def test_it_fails_the_step_whose_expression_fails(define, submit, run_worker):
    define("wrong", steps=[step("a"), step("b", ["a"], given={"data": "{{ steps.a.result.nothing }}"})])
    operation = submit("wrong")
    run_worker()
    status, error = ended(operation)
    assert status == "failed"
    assert error.startswith("Step b failed: {{ steps.a.result.nothing }}: ")
    assert error.endswith("Rolled back: a.")


def test_it_tries_a_failed_step_again(define, submit, run_worker, world, steps_of):
    define("retry", steps=[step("a", given={"fails": 2}, retry={"attempts": 3})])
    operation = submit("retry")
    run_worker()
    assert ended(operation) == ("completed", None)
    assert Step.objects.get().attempt == 3
    assert world.history == ["+a", "-a", "+a", "-a", "+a"]


def test_it_gives_up_when_the_attempts_are_used_up(define, submit, run_worker, world):
    define("retry", steps=[step("a", given={"fails": 9}, retry={"attempts": 2})])
    operation = submit("retry")
    run_worker()
    assert ended(operation)[0] == "failed"
    assert world.history == ["+a", "-a", "+a", "-a"]


@pytest.mark.parametrize("how", ["at submit", "when run"])
def test_it_tolerates_what_is_not_there(define, submit, run_worker, steps_of, how):
    missing = (
        {"uses": "probe.unmake", "given": {"name": "forgotten"}}
        if how == "at submit"
        else {"given": {"refused": "missing"}}
    )
    define("gone", steps=[step("a", tolerate=["NOT_FOUND"], **missing), step("b", ["a"])])
    operation = submit("gone")
    run_worker()
    assert ended(operation) == ("completed", None)
    assert statuses(steps_of(operation)) == {"a": "skipped", "b": "completed"}


def test_it_fails_when_a_person_cancels_a_step(define, submit, api, alice, run_worker, world):
    define("chain", steps=[step("a"), step("b", ["a"])])
    world.held.add("b")
    operation = submit("chain")
    for _ in range(2):
        run_round(operation)
    child = Step.objects.get(name="b").operation
    assert api(alice).post(f"/v1/operations/{child.pk}/cancel").json()["status"] == "cancelled"
    run_worker()
    assert ended(operation) == ("failed", "Step b was cancelled: It was cancelled. Rolled back: a.")
    assert world.made == []


def test_it_fails_a_step_whose_operation_is_gone(define, submit, run_worker, world):
    define("chain", steps=[step("a")])
    world.held.add("a")
    operation = submit("chain")
    run_one(operation["id"])
    Operation.objects.filter(parent=operation["id"]).delete()
    run_worker()
    assert ended(operation) == ("failed", "Step a failed: Its operation is no longer there.")
