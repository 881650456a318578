from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations import retention
from apps.operations.models import Operation
from apps.workflows.definitions import definitions
from apps.workflows.models import Step, Workflow
from tests.workflows.conftest import step

SCHEMA = {
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 5, "description": "At most 5 characters."},
        "count": {"type": "integer", "minimum": 1, "maximum": 3, "default": 2},
        "kind": {"enum": ["big", "small"], "default": "small"},
    },
}
MANY = step("many", for_each="{{ range(parameters.count) }}", given={"name": "{{ parameters.name }}-{{ item }}"})


@pytest.fixture
def post(api, workspace):
    def posted(person, **changes):
        body = {"workspace": "production", "workflow_type": "many", "parameters": {"name": "x"}} | changes
        return api(person).post("/v1/workflows/submit", {key: value for key, value in body.items() if value != ...})

    return posted


@pytest.fixture(autouse=True)
def many(define):
    define("many", parameters=SCHEMA, steps=[MANY], target="set:{{ parameters.name }}")


def test_it_answers_the_operation_at_once_and_does_the_work_in_the_worker(
    post, api, alice, run_worker, world, steps_of
):
    operation = post(alice).json()
    assert list(operation) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert (operation["status"], operation["result"], operation["error"]) == ("pending", None, None)
    assert world.made == []

    shown = api(alice).get(f"/v1/workflows/{operation['id']}").json()
    assert list(shown) == ["id", "workflow_type", "status", "created_at", "updated_at"]
    assert shown["id"] == operation["id"]
    assert (shown["workflow_type"], shown["status"]) == ("many", "pending")
    assert {name: each["status"] for name, each in steps_of(operation).items()} == {
        "many[0]": "waiting",
        "many[1]": "waiting",
    }

    run_worker()
    assert sorted(world.made) == ["x-0", "x-1"]
    assert api(alice).get(f"/v1/workflows/{operation['id']}").json()["status"] == "completed"
    ended = api(alice).get(f"/v1/operations/{operation['id']}").json()
    assert (ended["status"], ended["result"], ended["error"]) == ("completed", {}, None)


def test_it_shows_steps_with_their_operations_and_results(post, api, alice, run_worker, steps_of):
    operation = post(alice).json()
    run_worker()
    first = steps_of(operation)["many[0]"]
    keys = "name uses status operation_id rollback_operation_id started_at ended_at error result input attempt waiting"
    keys += " rollback rollback_error"
    assert list(first) == keys.split()
    assert (first["uses"], first["status"], first["result"]) == ("probe.make", "completed", {"name": "x-0", "size": 3})
    child = api(alice).get(f"/v1/operations/{first['operation_id']}").json()
    assert child["result"] == first["result"]
    assert str(Operation.objects.get(pk=child["id"]).parent_id) == operation["id"]


def test_it_pins_definition_and_completed_parameters(post, alice, run_worker, world):
    operation = post(alice).json()
    definitions().pop("many")
    run_worker()
    workflow = Workflow.objects.get(pk=operation["id"])
    assert workflow.parameters == {"name": "x", "count": 2, "kind": "small"}
    assert (workflow.outputs, sorted(world.made)) == ({}, ["x-0", "x-1"])


def test_it_names_the_types_when_there_is_no_such_type(post, alice):
    answer = post(alice, workflow_type="cluster_explode")
    assert answer.status_code == 400
    error = answer.json()
    assert list(error) == ["error", "message", "code", "details"]
    [message] = error["details"]["workflow_type"]
    assert "cluster_explode" in message
    assert "cluster_create" in message


@pytest.mark.parametrize(
    ("parameters", "field", "expected"),
    [
        ({}, "parameters.name", "This parameter is required."),
        ({"name": 5}, "parameters.name", "5 is not of type 'string'. At most 5 characters."),
        (
            {"name": "toolong"},
            "parameters.name",
            "'toolong' is too long; it may have 5 characters at most. At most 5 characters.",
        ),
        ({"name": "x", "count": 9}, "parameters.count", "9 is greater than the maximum of 3."),
        ({"name": "x", "count": 2.0}, "parameters.count", "2.0 is not of type 'integer'."),
        ({"name": "x", "count": True}, "parameters.count", "True is not of type 'integer'."),
        ({"name": "x", "count": "2"}, "parameters.count", "'2' is not of type 'integer'."),
        ({"name": "x", "kind": "odd"}, "parameters.kind", "'odd' is not one of ['big', 'small']."),
        ({"name": "x", "nmae": 1}, "parameters.nmae", "Unknown parameter; known are: name, count, kind."),
    ],
)
def test_it_refuses_parameters_and_names_what_is_allowed(post, alice, parameters, field, expected):
    answer = post(alice, parameters=parameters)
    assert answer.status_code == 400
    assert answer.json()["details"] == {field: [expected]}
    assert not Operation.objects.exists()


def test_it_names_every_fault_at_once(post, alice):
    details = post(alice, parameters={"count": 0, "more": 1}).json()["details"]
    assert set(details) == {"parameters.name", "parameters.count", "parameters.more"}


@pytest.mark.parametrize(
    "changes",
    [
        {"workspace": "nowhere"},
        {"workspace": ...},
        {"workflow_type": ...},
        {"workflow_type": 5},
        {"parameters": []},
        {"parameters": None},
        {"parameters": {"name": "a\x00b"}},
        {"check_mode": "true"},
        {"chek_mode": True},
    ],
)
def test_it_refuses_a_bad_body(post, alice, changes):
    answer = post(alice, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "VALIDATION_ERROR")


def test_it_refuses_input_that_a_step_would_be_refused(post, define, alice):
    define("odd", steps=[step("a", given={"nonsense": 1})])
    answer = post(alice, workflow_type="odd", parameters={})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Step a (probe.make) would be refused: unknown: nonsense"
    assert not Operation.objects.exists()


def test_it_refuses_what_another_app_refuses_with_a_sentence(post, define, alice):
    define("odd", steps=[step("a", uses="server.create")])
    answer = post(alice, workflow_type="odd", parameters={})
    assert answer.status_code == 400
    assert "Step a (server.create) would be refused: " in answer.json()["message"]


def test_it_refuses_a_second_on_the_same_target(post, alice, run_worker):
    first = post(alice).json()
    answer = post(alice)
    assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")
    assert first["id"] in answer.json()["message"]
    assert post(alice, parameters={"name": "y"}).status_code == 200
    run_worker()
    assert post(alice).status_code == 200


def test_it_holds_the_target_inside_the_workspace(post, alice):
    post(alice)
    assert Operation.objects.get().target == "workspace:production/set:x"


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("dora", 200), ("bob", 403), ("charlie", 403)])
def test_it_needs_workflow_submit_only(post, request, who, status):
    assert post(request.getfixturevalue(who)).status_code == status


def test_it_lets_a_developer_create_what_only_a_workflow_may(post, dora, run_worker, world):
    post(dora)
    run_worker()
    assert sorted(world.made) == ["x-0", "x-1"]
    assert set(Operation.objects.values_list("actor__username", flat=True)) == {"dora"}


def test_it_marks_every_step_of_a_workflow_within_a_workflow(post, define, alice, run_worker, world):
    given = {"workflow_type": "many", "parameters": {"name": "in"}}
    define("outer", steps=[{"name": "inner", "uses": "workflow.run", "with": given}])
    operation = post(alice, workflow_type="outer", parameters={}).json()
    run_worker()
    assert sorted(world.made) == ["in-0", "in-1"]
    assert Operation.objects.get(pk=operation["id"]).status == "completed"
    assert Step.objects.exclude(status="completed").count() == 0


def test_it_outlives_pruning_while_what_it_created_exists(define, submit, run_worker):
    for effect in ("create", "delete"):
        define(effect, steps=[step("a")], target="thing", effect=effect)

    def prune():
        retention.prune_operations(older_than=timedelta(seconds=-60))
        return Workflow.objects.count()

    submit("create")
    run_worker()
    assert prune() == 1
    submit("delete")
    run_worker()
    assert prune() == 0
    submit("create")
    run_worker()
    assert prune() == 1


def test_what_was_deleted_does_not_come_back_when_its_creation_is_kept_longer(post, alice, define, submit, run_worker):
    for effect in ("create", "delete"):
        define(effect, steps=[step("a")], target="thing", effect=effect)
    submit("create")
    run_worker()
    part = Operation.objects.exclude(parent=None)
    part.update(ended_at=timezone.now() + timedelta(days=1))  # it has a younger part
    submit("delete")
    run_worker()
    retention.prune_operations(older_than=timedelta(seconds=-60))
    assert Workflow.objects.filter(effect="create").exists()
    assert post(alice, workflow_type="delete", parameters={}).status_code == 400, "it is still known to be deleted"
    part.update(ended_at=timezone.now())
    retention.prune_operations(older_than=timedelta(seconds=-60))
    assert not Workflow.objects.exists()


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_lists_and_filters_workflows_only(post, define, api, alice, workspace, run_worker):
    define("other", steps=[step("a")])
    first, second = post(alice).json(), post(alice, workflow_type="other", parameters={}).json()
    run_worker()
    third = post(alice, parameters={"name": "z"}).json()

    def listed(query=""):
        answer = api(alice).get(f"/v1/workflows{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()]

    assert listed() == [first["id"], second["id"], third["id"]]
    assert listed("?workflow_type=other") == [second["id"]]
    assert listed("?status=pending") == [third["id"]]
    assert listed("?workspace=production&page=1&per_page=1") == [first["id"]]
    assert listed("?workspace=elsewhere") == []
    assert listed("?created_after=2999-01-01T00:00:00Z") == []
    assert len(listed("?created_before=2999-01-01T00:00:00Z")) == 3
    assert listed("?ordering=-created_at")[0] == third["id"]
    assert api(alice).get("/v1/workflows?status=odd").status_code == 400
    [row] = api(alice).get("/v1/workflows?status=pending").json()
    assert list(row) == ["id", "workflow_type", "status", "created_at", "updated_at"]


def test_it_lists_the_types_with_their_schemas(api, alice):
    types = {each["name"]: each for each in api(alice).get("/v1/workflows/types").json()}
    assert list(types["cluster_create"]) == ["name", "title", "description", "origin", "parameters", "permissions"]
    assert types["cluster_create"]["parameters"]["required"] == ["cluster_name", "node_count"]
    assert types["cluster_create"]["parameters"]["properties"]["taskserv"]["default"] == "kubernetes"


@pytest.mark.parametrize("action", ["", "/steps", "/cancel"])
@pytest.mark.parametrize("id", ["nonsense", "550e8400-e29b-41d4-a716-446655440000", "an operation"])
def test_it_knows_no_workflow_of_another_id(post, api, alice, run_worker, action, id):
    post(alice)
    run_worker()
    id = str(Operation.objects.get(kind="probe.make", params__contains='"x-0"').pk) if id == "an operation" else id
    caller = api(alice)
    call = caller.post if action == "/cancel" else caller.get
    answer = call(f"/v1/workflows/{id}{action}")
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("get", "", "alice bob dora"),
        ("get", "/types", "alice bob dora"),
        ("get", "/{id}", "alice bob dora"),
        ("get", "/{id}/steps", "alice bob dora"),
        ("post", "/{id}/cancel", "alice"),
    ],
)
def test_each_path_needs_its_permission(post, api, request, alice, method, path, allowed):
    id = post(alice).json()["id"]
    for who in ("charlie", "bob", "dora", "alice"):
        answer = getattr(api(request.getfixturevalue(who)), method)(f"/v1/workflows{path.format(id=id)}")
        assert answer.status_code == (200 if who in allowed.split() else 403), (who, answer.content)
    assert getattr(api(), method)(f"/v1/workflows{path.format(id=id)}").status_code == 401
