"""What a workflow needs beyond `workflow_submit`, and what refuses it before its first step."""

import pytest
from django.contrib.auth.models import Permission
from django.core.checks import run_checks

from apps.operations.models import Operation
from apps.operations.registry import kinds
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from apps.workflows.definition import parse
from apps.workflows.definitions import definitions
from apps.workflows.models import Step
from apps.workflows.permissions import required_permissions
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.running import run_round


@pytest.fixture
def submit(api):
    def submitted(person, type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        return api(person).post("/v1/workflows/submit", body)

    return submitted


@pytest.fixture
def cluster(submit, alice, account, run_worker):
    assert submit(alice, "cluster_create", cluster_name="k8s", node_count=2).status_code == 200
    run_worker()
    return list(Server.objects.order_by("hostname"))


def grant(person, *codenames):
    person.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


@pytest.mark.parametrize("missing", ["server_delete", "taskserv_delete"])
def test_it_asks_for_the_permission_to_delete(missing, cluster, submit, dora, run_worker):
    before = Operation.objects.count()
    refused(submit(dora, "cluster_delete", cluster_name="k8s"), 403, "FORBIDDEN")
    grant(dora, *{"server_delete", "taskserv_delete"} - {missing})
    body = refused(submit(dora, "cluster_delete", cluster_name="k8s"), 403, "FORBIDDEN")
    assert missing in body["message"]
    assert Operation.objects.count() == before
    grant(dora, missing)
    assert submit(dora, "cluster_delete", cluster_name="k8s").status_code == 200
    run_worker()
    assert not Server.objects.exists()


def test_it_asks_before_it_looks_anything_up(submit, dora, account):
    refused(submit(dora, "cluster_delete", cluster_name="never-made"), 403)
    refused(submit(dora, "cluster_delete", nonsense=1), 403)


def test_it_leaves_creating_open_to_developers(submit, dora, account, run_worker):
    answer = submit(dora, "cluster_create", cluster_name="k8s", node_count=1)
    assert answer.status_code == 200
    run_worker()
    assert Operation.objects.get(pk=answer.json()["id"]).status == "completed"


def test_it_lets_a_developers_failed_creation_be_rolled_back(submit, dora, account, run_worker, cloud):
    """What is taken back was made by the same workflow."""
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    submit(dora, "cluster_create", cluster_name="k8s", node_count=3)
    run_worker()
    assert not Server.objects.exists()


@pytest.mark.parametrize("name", [name for name, kind in kinds().items() if kind.submit and name.endswith("delete")])
def test_it_knows_every_kind_that_deletes(name):
    assert kinds()[name].destroys
    definition = parse({"title": "x", "steps": [{"name": "a", "uses": name}]})
    assert required_permissions(definition) == [kinds()[name].permission]


def test_it_counts_a_step_that_may_never_run(define):
    never = {"name": "a", "uses": "server.delete", "when": False}
    assert required_permissions(parse({"title": "x", "steps": [step("first"), never]})) == ["server_delete"]


def test_it_counts_workflows_inside_a_workflow(define, submit, dora, workspace):
    inner = {"workflow_type": "cluster_delete", "parameters": {"cluster_name": "k8s"}}
    define("outer", steps=[{"name": "a", "uses": "workflow.run", "with": inner}])
    define("outermost", steps=[{"name": "a", "uses": "workflow.run", "with": {"workflow_type": "outer"}}])
    define("loop", steps=[{"name": "a", "uses": "workflow.run", "with": {"workflow_type": "loop"}}])
    for type in ("outer", "outermost"):
        assert required_permissions(definitions()[type]) == ["server_delete", "taskserv_delete"]
        refused(submit(dora, type), 403)
    assert required_permissions(definitions()["loop"]) == []


def test_it_checks_a_workflow_that_only_an_expression_names(define, submit, dora, cluster, run_worker):
    named = {"workflow_type": "{{ parameters.chosen }}", "parameters": {"cluster_name": "k8s"}}
    define(
        "hidden",
        parameters={"properties": {"chosen": {"type": "string"}}},
        steps=[{"name": "a", "uses": "workflow.run", "with": named}],
    )
    answer = submit(dora, "hidden", chosen="cluster_delete")
    run_worker()
    ended = Operation.objects.get(pk=answer.json()["id"])
    assert (ended.status, Server.objects.count()) == ("failed", 2)
    assert "server_delete" in ended.error


UPLOADED = {
    "wipe": "title: Wipe\nsteps:\n- {name: a, uses: server.delete, with: {server_id: srv-abc}}\n",
    "around": "title: Around\nsteps:\n- {name: before, wait: {for: 1}}\n- {name: b, workflow: wipe, needs: [before]}\n",
}


def test_it_counts_workflows_that_were_uploaded(api, alice, dora, submit, workspace):
    for name, text in UPLOADED.items():
        assert api(alice).post("/v1/workflows/definitions", {"name": name, "text": text}).status_code == 200
    before = Operation.objects.count()
    assert "server_delete" in refused(submit(dora, "around"), 403)["message"]
    schedule = {"workspace": "production", "name": "s", "workflow_type": "around", "cron": "0 2 * * *"}
    refused(api(dora).post("/v1/schedules", schedule), 403)
    assert Operation.objects.count() == before
    types = {each["name"]: each["permissions"] for each in api(dora).get("/v1/workflows/types").json()}
    assert types["around"] == ["server_delete"]


@pytest.mark.parametrize("verb", ["retry", "skip"])
def test_who_may_not_submit_it_lets_none_of_its_steps_go_on(
    verb, define, submit, api, alice, dora, cluster, run_worker
):
    """While it is under way, a step that is retried or skipped is done in the name of whoever submitted it."""
    steps = [
        {"name": "hold", "wait": {"for": 3600}},
        step("backup", given={"fails": 9}),
        {"name": "wipe", "uses": "server.delete", "needs": ["backup"], "with": {"server_id": cluster[0].pk}},
    ]
    define("decommission", steps=steps, on_failure="continue")
    workflow = submit(alice, "decommission").json()
    for _ in range(3):
        run_round(workflow)
    assert Step.objects.get(workflow=workflow["id"], name="backup").status == "failed"
    path = f"/v1/workflows/{workflow['id']}/steps/backup/{verb}"
    assert "server_delete" in refused(api(dora).post(path, {"reason": "x"}), 403)["message"]
    assert api(alice).post(path, {"reason": "x"}).status_code == 200


def test_a_step_rolls_back_no_other_workflow_without_the_permissions_to_delete(
    define, submit, dora, cluster, run_worker
):
    define(
        "sweep",
        parameters={"properties": {"which": {"type": "string"}}},
        steps=[{"name": "a", "uses": "workflow.rollback", "with": {"workflow_id": "{{ parameters.which }}"}}],
    )
    made = Operation.objects.get(kind="workflow.run").pk
    assert "workflow_cancel" in refused(submit(dora, "sweep", which=str(made)), 403)["message"]
    grant(dora, "workflow_cancel")
    answer = submit(dora, "sweep", which=str(made))
    run_worker()
    ended = Operation.objects.get(pk=answer.json()["id"])
    assert (ended.status, Server.objects.count()) == ("failed", 2)
    assert "server_delete" in ended.error


def test_what_a_workflow_inside_made_is_deleted_by_hand_with_the_permission_only(
    define, submit, api, alice, dora, account, run_worker
):
    inner = {"name": "sub", "workflow": "cluster_create", "with": {"cluster_name": "k8s", "node_count": 1}}
    define("outer", steps=[inner])
    workflow = submit(alice, "outer").json()["id"]
    run_worker()
    grant(dora, "workflow_cancel")
    body = refused(api(dora).post(f"/v1/workflows/{workflow}/rollback"), 403)
    assert "_delete" in body["message"]


def test_it_asks_for_what_a_definition_names(define, submit, dora, workspace):
    define("strict", permissions=["workspace_create"], steps=[step("a")])
    assert "workspace_create" in refused(submit(dora, "strict"), 403)["message"]
    grant(dora, "workspace_create")
    assert submit(dora, "strict").status_code == 200


def test_it_names_a_permission_that_there_is_not(define):
    define("odd", permissions=["server_explode"], steps=[step("a")])
    assert "workflows.E003" in {fault.id for fault in run_checks(include_deployment_checks=True)}


def test_it_shows_what_each_type_needs(api, dora):
    types = {each["name"]: each["permissions"] for each in api(dora).get("/v1/workflows/types").json()}
    assert types == {
        "cluster_create": [],
        "cluster_delete": ["server_delete", "taskserv_delete"],
        "cluster_scale": ["server_delete"],
        "cluster_upgrade": [],
        "replace_server": ["server_delete"],
        "servers_create": [],
        "taskserv_rollout": [],
        "workspace_teardown": ["server_delete"],
    }


# ── what can be known ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_before_the_first_step_when_a_server_is_protected(cluster, submit, alice, run_worker):
    Server.objects.filter(pk=cluster[1].pk).update(protected=True)
    before = Operation.objects.count()
    body = refused(submit(alice, "cluster_delete", cluster_name="k8s"), 409, "CONFLICT")
    assert "k8s-2 is protected" in body["message"]
    run_worker()
    assert Operation.objects.count() == before
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"running"}
    Server.objects.update(protected=False)
    assert submit(alice, "cluster_delete", cluster_name="k8s").status_code == 200


def test_it_still_passes_over_what_is_gone(cluster, submit, alice, run_worker):
    Server.objects.filter(pk=cluster[0].pk).delete()
    assert submit(alice, "cluster_delete", cluster_name="k8s").status_code == 200
    run_worker()
    assert not Server.objects.exists()
