import pytest

from apps.operations import transitions
from apps.operations.models import ConcurrencyLimit, Operation
from apps.operations.queue import leases
from apps.operations.services import submit
from apps.operations.worker import nodes, runner


@pytest.fixture
def operation(workspace):
    return submit(kind="catalog.refresh", workspace=workspace, actor=None, params={"account": 0})


def why(client, operation):
    [*_, last] = client.get(f"/v1/operations/{operation.pk}/events").json()
    return last["data"]["waiting"], last["message"]


def test_it_says_that_no_worker_runs(api, bob, operation):
    assert why(api(bob), operation) == ("NO_WORKER", "No worker is running; start one with `manage.py worker`.")


def test_it_says_that_all_is_drained_and_why(api, bob, operation):
    nodes.drain(reason="new kernel")
    code, message = why(api(bob), operation)
    assert code == "DRAINED"
    assert "new kernel" in message


def test_it_says_what_is_in_front_of_it(api, bob, workspace, operation):
    nodes.register_heartbeat("node", workers=2)
    later = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={})
    assert why(api(bob), later) == ("QUEUED", "Due; 1 operations of its workspace are in front of it.")


def test_it_names_the_limit_that_is_reached(api, bob, workspace, operation):
    nodes.register_heartbeat("node", workers=2)
    ConcurrencyLimit.objects.create(name="workspace:production", max_running=0)
    code, message = why(api(bob), operation)
    assert (code, "workspace:production" in message) == ("LIMIT_REACHED", True)


def test_it_names_the_worker_at_work(api, bob, operation):
    [lease] = leases.claim(owner="node-7", max_count=1)
    transitions.set_running(lease)
    assert why(api(bob), operation) == ("WORKING", "At work on it: worker node-7.")


def test_it_says_what_the_operation_itself_waits_for_and_until_when(api, alice, body, cloud, workspace):
    cloud.set(boot_seconds=60)
    made = api(alice).post("/v1/servers/create", body).json()
    [lease] = leases.claim(owner="node", max_count=1)
    runner.run(str(lease.operation_id), lease.fence)
    code, message = why(api(alice), Operation.objects.get(pk=made["id"]))
    assert code == "WAITING"
    assert "is starting at UpCloud" in message


def test_it_lists_a_retry_with_its_reason(api, alice, body, cloud):
    cloud.respond_next(503, text="")
    made = api(alice).post("/v1/servers/create", body).json()
    [lease] = leases.claim(owner="node", max_count=1)
    runner.run(str(lease.operation_id), lease.fence)
    lines = api(alice).get(f"/v1/operations/{made['id']}/events").json()
    assert any(line["data"].get("attempt") == 1 and line["level"] == "warning" for line in lines)


def test_a_finished_operation_waits_for_nothing(api, alice, body, run_worker):
    made = api(alice).post("/v1/servers/create", body).json()
    run_worker()
    lines = api(alice).get(f"/v1/operations/{made['id']}/events").json()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert not any("waiting" in line["data"] for line in lines)
    assert [line["seq"] for line in api(alice).get(f"/v1/operations/{made['id']}/events?after=1").json()][0] == 2
