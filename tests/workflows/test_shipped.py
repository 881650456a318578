"""The shipped types beyond creating and deleting a cluster, on the real kinds and the emulated cloud."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from apps.workflows.models import Step
from tests.conftest import user
from tests.refusals import refused


@pytest.fixture
def ask(api, account):
    """Submit a workflow and return the answer."""

    def asked(person, type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        return api(person).post("/v1/workflows/submit", body)

    return asked


@pytest.fixture
def run(ask, run_worker):
    """Submit a workflow as an operator, let the worker end it, and return its result."""

    def submitted(person, type, **parameters):
        answer = ask(person, type, **parameters)
        assert answer.status_code == 200, answer.content
        run_worker()
        operation = Operation.objects.get(pk=answer.json()["id"])
        assert operation.status == "completed", operation.error
        return operation.result

    return submitted


def hostnames():
    return sorted(Server.objects.values_list("hostname", flat=True))


def members():
    return sorted(Taskserv.objects.get().installations.values_list("server__hostname", flat=True))


@pytest.fixture
def cluster(run, alice):
    """A cluster of three redis servers."""
    return run(alice, "cluster_create", cluster_name="kv", node_count=3, taskserv="redis", tags=["db"])


def test_a_cluster_of_another_taskserv_has_the_catalogs_version(cluster):
    assert Taskserv.objects.get().version == "7.0"


def test_a_cluster_is_scaled_up_and_down_members_leaving_first(cluster, run, alice):
    up = run(alice, "cluster_scale", cluster_name="kv", node_count=5)
    assert [each["hostname"] for each in up["servers"]] == ["kv-1", "kv-2", "kv-3", "kv-4", "kv-5"]
    assert hostnames() == members() == ["kv-1", "kv-2", "kv-3", "kv-4", "kv-5"]
    assert {server.plan for server in Server.objects.all()} == {"2xCPU-4GB"}
    assert {tuple(server.tags) for server in Server.objects.all()} == {("db",)}
    down = run(alice, "cluster_scale", cluster_name="kv", node_count=2)
    assert [each["hostname"] for each in down["servers"]] == hostnames() == members() == ["kv-1", "kv-2"]
    left = Step.objects.get(name="members", workflow__parameters__contains='"node_count":2')
    gone = Step.objects.filter(name__startswith="leaving[")
    assert all(step.started_at >= left.ended_at for step in gone)
    same = run(alice, "cluster_scale", cluster_name="kv", node_count=2)
    assert same["servers"] == down["servers"]
    run(alice, "cluster_delete", cluster_name="kv")
    assert (hostnames(), Taskserv.objects.count()) == ([], 0)


def test_scaling_takes_numbers_that_are_free(cluster, run, alice):
    run(alice, "replace_server", cluster_name="kv", hostname="kv-2")
    assert hostnames() == members() == ["kv-1", "kv-3", "kv-4"]
    up = run(alice, "cluster_scale", cluster_name="kv", node_count=4)
    assert sorted(each["hostname"] for each in up["servers"]) == ["kv-1", "kv-2", "kv-3", "kv-4"]


def test_the_new_server_joins_before_the_old_one_leaves(cluster, run, alice):
    result = run(alice, "replace_server", cluster_name="kv", hostname="kv-2")
    assert [each["hostname"] for each in result["servers"]] == ["kv-1", "kv-3", "kv-4"]
    steps = {step.name: step for step in Step.objects.filter(workflow__type="replace_server")}
    assert steps["members"].input["servers"] == ["kv-1", "kv-3", "kv-4"]
    assert steps["server"].ended_at <= steps["members"].started_at
    assert steps["members"].ended_at <= steps["delete"].started_at
    lines = list(steps["members"].operation.events.values_list("message", flat=True))
    joined, left = (next(i for i, line in enumerate(lines) if line.startswith(host)) for host in ("kv-4: ", "kv-2: "))
    assert joined < left


def test_a_cluster_is_upgraded_between_two_verifications(cluster, run, alice):
    run(alice, "cluster_upgrade", cluster_name="kv", version="7.4")
    assert Taskserv.objects.get().version == "7.4"
    steps = {step.name: step for step in Step.objects.filter(workflow__type="cluster_upgrade")}
    assert steps["before"].ended_at <= steps["upgrade"].started_at <= steps["after"].started_at


@pytest.mark.parametrize(
    ("type", "parameters"),
    [
        ("cluster_scale", {"cluster_name": "none", "node_count": 2}),
        ("cluster_upgrade", {"cluster_name": "none", "version": "7.4"}),
        ("replace_server", {"cluster_name": "none", "hostname": "none-1"}),
    ],
)
def test_a_missing_cluster_is_reported_at_once(ask, alice, type, parameters):
    refused(ask(alice, type, **parameters), 400, field="parameters")


def test_a_missing_member_is_reported_before_anything_is_done(cluster, ask, alice, run_worker):
    body = refused(ask(alice, "replace_server", cluster_name="kv", hostname="kv-9"), 400, field="parameters")
    assert "Step delete (server.delete) would be refused" in body["message"]
    run_worker()
    assert hostnames() == members() == ["kv-1", "kv-2", "kv-3"]


def test_an_unknown_version_is_reported_before_anything_is_done(cluster, ask, alice):
    assert ask(alice, "cluster_upgrade", cluster_name="kv", version="99").status_code == 400


def test_a_batch_of_servers_is_created_or_none(run, ask, alice, account, cloud, run_worker):
    result = run(alice, "servers_create", hostnames=["web-01", "web-02", "web-03"], at_once=2)
    assert [each["hostname"] for each in result["servers"]] == hostnames() == ["web-01", "web-02", "web-03"]
    operation = ask(alice, "servers_create", hostnames=["web-04", "web-03"]).json()
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "failed"
    assert hostnames() == ["web-01", "web-02", "web-03"]


def test_a_taskserv_is_rolled_out_after_its_canary(run, alice):
    run(alice, "servers_create", hostnames=["web-01", "web-02", "web-03"])
    result = run(alice, "taskserv_rollout", taskserv="redis", servers=["web-02", "web-01", "web-03"], at_once=1)
    assert len(result["taskservs"]) == Taskserv.objects.filter(name="redis", status="running").count() == 3
    steps = {step.name: step for step in Step.objects.filter(workflow__type="taskserv_rollout")}
    assert steps["canary"].input["servers"] == ["web-02"]
    assert steps["verify"].ended_at <= steps["others[0]"].started_at
    assert steps["others[0]"].ended_at <= steps["others[1]"].started_at


def test_a_workspace_is_torn_down_when_another_person_approves(cluster, ask, api, alice, run_worker):
    operation = ask(alice, "workspace_teardown", reason="moved").json()
    for _ in range(4):
        run_worker_until_it_waits()
    assert "Delete 3 servers with all that is installed on them? (moved)" in waits_of(operation)
    refused(api(alice).post(f"/v1/workflows/{operation['id']}/approve", {}), 403)
    assert hostnames() == ["kv-1", "kv-2", "kv-3"]
    assert api(user("olga", "operator")).post(f"/v1/workflows/{operation['id']}/approve", {}).status_code == 200
    run_worker()
    assert (hostnames(), Taskserv.objects.count()) == ([], 0)


def run_worker_until_it_waits():
    """Do what is due, without letting the time pass for which an approval waits."""
    from apps.operations.queue import leases
    from apps.operations.worker import runner

    for lease in leases.claim(owner="node", max_count=10):
        runner.run(str(lease.operation_id), lease.fence)


def waits_of(operation):
    step = Step.objects.get(workflow=operation["id"], name="approval")
    return step.operation.status_message


def test_an_empty_workspace_needs_no_approval(run, alice):
    assert run(alice, "workspace_teardown") == {"deleted": []}


def test_a_developer_cannot_tear_a_workspace_down(ask, dora):
    refused(ask(dora, "workspace_teardown"), 403)
