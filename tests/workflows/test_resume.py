"""After a failure: resume, roll back by hand, retry and skip single steps; what is left is listed and priced."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workflows.models import Step, Workflow
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, run_round, statuses

PARAMETERS = {"properties": {"fails": {"type": "integer", "default": 9}, "names": {"type": "array", "default": ["x"]}}}
STEPS = [
    step("a"),
    step("b", ["a"], given={"fails": "{{ parameters.fails }}", "data": "{{ steps.a.result.size }}"}),
    step("c", ["b"]),
]


@pytest.fixture
def broken(define, submit, run_worker):
    """A workflow of which b has failed, with all kept."""

    def made(on_failure="stop", steps=STEPS, **more):
        define("breaks", steps=steps, parameters=PARAMETERS, on_failure=on_failure, **more)
        operation = submit("breaks")
        run_worker()
        assert ended(operation)[0] == "failed"
        return operation

    return made


@pytest.fixture
def call(api, alice):
    def called(operation, path, body=None, person=alice):
        return api(person).post(f"/v1/workflows/{operation['id']}/{path}", body or {})

    return called


def test_it_goes_on_at_what_did_not_succeed(broken, call, run_worker, world, steps_of, api, alice):
    operation = broken()
    assert world.history == ["+a", "+b"]
    again = call(operation, "resume", {"parameters": {"fails": 0}, "reason": "repaired"}).json()
    run_worker()
    assert ended(again) == ("completed", None)
    assert world.history == ["+a", "+b", "-b", "+b", "+c"]  # what b had left is taken away, a is not done again
    assert statuses(steps_of(again)) == {"a": "completed", "b": "completed", "c": "completed"}
    assert steps_of(again)["a"]["operation_id"] == steps_of(operation)["a"]["operation_id"]
    details = api(alice).get(f"/v1/workflows/{again['id']}/details").json()
    assert details["resumes"] == operation["id"]
    assert details["changed_parameters"] == {"fails": 0}
    assert api(alice).get(f"/v1/workflows/{operation['id']}/details").json()["resumed_by"] == again["id"]
    message = f"Goes on with workflow {operation['id']}, by alice: repaired. Changed parameters: fails."
    assert message in Operation.objects.get(pk=again["id"]).events.values_list("message", flat=True)


def test_it_goes_on_with_pinned_inputs(broken, call, run_worker, define):
    operation = broken(steps=[step("a"), step("b", ["a"], given={"fails": 1}), step("c", ["b"])])
    define("breaks", steps=[step("z")])  # a new version of the definition changes nothing
    again = call(operation, "resume").json()
    run_worker()
    assert ended(again)[0] == "failed"  # in another workflow it is the first try, which fails again
    assert [each.name for each in Step.objects.filter(workflow=again["id"])] == ["a", "b", "c"]


def test_what_waits_to_be_rolled_back_is_not_resumed(broken, call):
    operation = broken()
    assert call(operation, "rollback").status_code == 200
    assert "being rolled back" in refused(call(operation, "resume", {"parameters": {"fails": 0}}), 409)["message"]


def test_it_does_anew_what_was_rolled_back(broken, call, run_worker, world):
    operation = broken(on_failure="rollback")
    assert world.made == []
    again = call(operation, "resume", {"parameters": {"fails": 0}}).json()
    run_worker()
    assert ended(again) == ("completed", None)
    assert sorted(world.made) == ["a", "b", "c"]


def test_it_is_resumed_once_and_only_after_a_failure(broken, call, define, submit, run_worker):
    operation = broken()
    later = call(operation, "resume").json()
    refused(call(operation, "resume"), 409)
    refused(call(later, "resume"), 409)
    run_worker()
    assert later["id"] in refused(call(operation, "resume"), 409)["message"]
    define("fine", steps=[step("a")])
    fine = submit("fine")
    run_worker()
    refused(call(fine, "resume"), 409)


def test_a_cancelled_workflow_is_resumed(define, submit, run_worker, call, world):
    define("chain", steps=[step("a"), step("b", ["a"])])
    world.held.add("b")
    operation = submit("chain")
    for _ in range(2):
        run_round(operation)
    call(operation, "cancel")
    world.held.clear()
    run_worker()
    again = call(operation, "resume").json()
    run_worker()
    assert ended(again) == ("completed", None)


def test_parameters_may_not_contradict_what_is_done(broken, call):
    many = step("many", for_each="{{ parameters.names }}", given={"name": "{{ item }}"})
    operation = broken(steps=[many, step("b", ["many"], given={"fails": "{{ parameters.fails }}"})])
    error = refused(call(operation, "resume", {"parameters": {"names": ["y"]}}), 400)
    assert "Step many[0] is done" in error["message"]
    assert call(operation, "resume", {"parameters": {"names": ["x", "y"]}}).status_code == 200


def test_it_leaves_out_steps_that_are_named(broken, call, run_worker, steps_of):
    operation = broken()
    refused(call(operation, "resume", {"skip": ["a"]}), 400, field="skip")
    again = call(operation, "resume", {"skip": ["b"], "reason": "done by hand"}).json()
    run_worker()
    assert ended(again) == ("completed", None)
    assert steps_of(again)["b"]["error"] == "skipped by alice: done by hand"


# ── single steps ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def going(define, submit, world):
    """A workflow of which b has failed while `long` goes on."""
    world.held.add("long")
    more = [step("long"), step("a"), step("b", given={"fails": 1}), step("c", ["b"])]
    define("goes", steps=more, on_failure="continue")
    operation = submit("goes")
    for _ in range(3):
        run_one(operation["id"])
        for child in Operation.objects.filter(parent=operation["id"], due_at__isnull=False):
            run_one(child.pk)
    found = {each.name: each.status for each in Step.objects.filter(workflow=operation["id"])}
    assert found == {"long": "running", "a": "completed", "b": "failed", "c": "skipped"}
    return operation


def test_a_failed_step_is_retried_while_the_workflow_goes_on(going, call, run_worker, world, steps_of):
    assert call(going, "steps/b/retry", {"reason": "network"}).json()["id"] == going["id"]
    world.held.clear()
    run_worker()
    assert ended(going) == ("completed", None)
    assert statuses(steps_of(going))["c"] == "completed"
    assert "Step b is retried by alice: network." in Operation.objects.get(pk=going["id"]).events.values_list(
        "message", flat=True
    )


def test_a_failed_step_is_skipped_while_the_workflow_goes_on(going, call, run_worker, world, steps_of):
    refused(call(going, "steps/a/skip", {"reason": "x"}), 409)
    refused(call(going, "steps/nothing/skip", {"reason": "x"}), 404)
    refused(call(going, "steps/b/skip"), 400, field="reason")
    assert call(going, "steps/b/skip", {"reason": "not needed"}).json()["id"] == going["id"]
    world.held.clear()
    run_worker()
    assert ended(going) == ("completed", None)
    assert steps_of(going)["b"]["error"] == "skipped by alice: not needed"


def test_a_step_of_an_ended_workflow_is_retried_by_resuming_it(broken, call, run_worker):
    operation = broken()
    later = call(operation, "steps/b/retry", {"reason": "again"}).json()
    assert later["id"] != operation["id"]
    run_worker()
    assert call(later, "steps/b/skip", {"reason": "enough"}).status_code == 200
    run_worker()
    last = Workflow.objects.get(resumes=later["id"]).operation
    assert last.status == "completed"


# ── rolling back by hand ──────────────────────────────────────────────────────────────────────────────────────────────
def test_it_is_rolled_back_by_hand(broken, call, run_worker, world):
    operation = broken()
    rollback = call(operation, "rollback").json()
    run_worker()
    assert ended(rollback) == ("completed", None)
    assert Operation.objects.get(pk=rollback["id"]).result == {"rolled_back": ["a", "b"], "left": []}
    assert world.made == []
    refused(call(operation, "rollback"), 409)


def test_a_check_shows_what_would_be_destroyed_kept_and_impossible(broken, api, alice, world):
    steps = [step("m", uses="probe.mark"), {"name": "w", "wait": {"for": 0}}, *STEPS]
    operation = broken(steps=steps)
    before = list(world.made)
    answer = api(alice).post(f"/v1/workflows/{operation['id']}/rollback?check_mode=true").json()
    result = answer["result"]
    assert [each["step"] for each in result["destroyed"]] == ["a", "b"]
    assert [(each["step"], each["why"]) for each in result["impossible"]] == [("m", "nothing takes that back")]
    assert [each["step"] for each in result["kept"]] == ["w"]
    assert world.made == before


def test_a_rollback_that_got_stuck_is_tried_again(broken, call, run_worker, world):
    operation = broken()
    world.stuck.add("a")
    first = call(operation, "rollback").json()
    run_worker()
    assert ended(first)[0] == "failed"
    refused(call(operation, "resume"), 409)
    world.stuck.clear()
    second = call(operation, "rollback").json()
    run_worker()
    assert ended(second) == ("completed", None)
    assert world.made == []


def test_a_completed_cluster_is_rolled_back_and_can_be_made_again(api, alice, dora, account, run_worker):
    body = {"workspace": "production", "workflow_type": "cluster_create"}
    body["parameters"] = {"cluster_name": "k8s", "node_count": 1}
    first = api(alice).post("/v1/workflows/submit", body).json()
    run_worker()
    refused(api(dora).post(f"/v1/workflows/{first['id']}/rollback"), 403)
    rollback = api(alice).post(f"/v1/workflows/{first['id']}/rollback").json()
    run_worker()
    assert ended(rollback) == ("completed", None)
    assert not Server.objects.exists()
    second = api(alice).post("/v1/workflows/submit", body).json()
    run_worker()
    assert ended(second) == ("completed", None)


def test_a_workflow_inside_another_is_taken_back_with_it(define, submit, run_worker, world):
    define("inner", steps=[step("i"), step("j", ["i"])])
    define("outer", steps=[{"name": "sub", "workflow": "inner"}, step("o", ["sub"], given={"fails": 9})])
    operation = submit("outer")
    run_worker()
    assert ended(operation) == ("failed", "Step o failed: o broke. Rolled back: sub, o.")
    assert world.made == []
    assert world.history == ["+i", "+j", "+o", "-o", "-j", "-i"]


def test_what_is_left_is_listed_with_its_price(define, submit, run_worker, account, body):
    given = {**{key: body[key] for key in ("provider", "plan", "zone", "hostname")}, "name": ""}
    given.pop("name")
    first = {"name": "server", "uses": "server.create", "with": given}
    define("left", steps=[first, step("b", ["server"], given={"fails": 9})], on_failure="stop")
    operation = submit("left")
    run_worker()
    result = Operation.objects.get(pk=operation["id"]).result
    left = {each["step"]: each for each in result["left"]}
    assert left["server"]["result"]["server_id"] == Server.objects.get().id
    assert result["price"] == [left["server"]["price"]]
    assert float(result["price"][0]["monthly"]) > 0
