"""The shipped workflows, on the real kinds and the emulated cloud."""

from copy import deepcopy

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from apps.workflows.definitions import definitions


@pytest.fixture
def run(api, account, run_worker):
    """Submit a workflow, let the worker end it, and return its operation as the API shows it."""

    def submitted(person, type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        answer = api(person).post("/v1/workflows/submit", body)
        assert answer.status_code == 200, answer.content
        run_worker()
        return api(person).get(f"/v1/operations/{answer.json()['id']}").json()

    return submitted


@pytest.fixture
def refused(api, alice, account):
    def submitted(type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        answer = api(alice).post("/v1/workflows/submit", body)
        return answer.status_code, answer.json()

    return submitted


def hostnames():
    return sorted(Server.objects.values_list("hostname", flat=True))


def test_it_creates_the_cluster_of_the_reference_as_a_developer(run, dora, api):
    ended = run(dora, "cluster_create", cluster_name="k8s-prod", node_count=3)
    assert (ended["status"], ended["error"]) == ("completed", None)
    result = ended["result"]
    assert list(result) == ["cluster_name", "servers", "taskserv_id"]
    assert [list(server) for server in result["servers"]] == [["hostname", "server_id", "ip_address"]] * 3
    assert [server["hostname"] for server in result["servers"]] == ["k8s-prod-1", "k8s-prod-2", "k8s-prod-3"]

    listed = {server["id"]: server for server in api(dora).get("/v1/servers").json()}
    assert {server["status"] for server in listed.values()} == {"running"}
    for server in result["servers"]:
        assert listed[server["server_id"]]["ip_address"] == server["ip_address"]
    taskserv = next(one for one in api(dora).get("/v1/taskservs").json() if one["id"] == result["taskserv_id"])
    assert (taskserv["name"], taskserv["version"], taskserv["status"]) == ("kubernetes", "1.28.0", "running")
    assert taskserv["servers"] == ["k8s-prod-1", "k8s-prod-2", "k8s-prod-3"]


def test_it_deletes_the_cluster_and_the_name_is_free_again(run, alice, cloud):
    assert run(alice, "cluster_create", cluster_name="k8s", node_count=2)["status"] == "completed"
    ended = run(alice, "cluster_delete", cluster_name="k8s")
    assert (ended["status"], ended["error"]) == ("completed", None)
    assert ended["result"] == {"cluster_name": "k8s"}
    assert (hostnames(), list(Taskserv.objects.all()), cloud.servers()) == ([], [], [])
    assert run(alice, "cluster_create", cluster_name="k8s", node_count=1)["status"] == "completed"


def test_it_deletes_a_cluster_of_which_parts_are_gone(run, alice, api, run_worker):
    created = run(alice, "cluster_create", cluster_name="k8s", node_count=2)["result"]
    api(alice).delete(f"/v1/servers/{created['servers'][0]['server_id']}", {"force": True})
    run_worker()
    assert hostnames() == ["k8s-2"]
    assert run(alice, "cluster_delete", cluster_name="k8s")["status"] == "completed"
    assert hostnames() == []


def test_it_refuses_a_name_in_use(run, refused, alice):
    run(alice, "cluster_create", cluster_name="k8s", node_count=1)
    status, error = refused("cluster_create", cluster_name="k8s", node_count=1)
    assert (status, error["error"]) == (409, "CONFLICT")
    assert "cluster:k8s exists" in error["message"]


def test_it_refuses_a_second_change_at_once(api, alice, account, refused):
    body = {"workspace": "production", "workflow_type": "cluster_create"}
    body["parameters"] = {"cluster_name": "k8s", "node_count": 1}
    first = api(alice).post("/v1/workflows/submit", body).json()
    for type, more in (("cluster_create", {"node_count": 1}), ("cluster_delete", {})):
        status, error = refused(type, cluster_name="k8s", **more)
        assert status == 409
        assert first["id"] in error["message"]


def test_it_refuses_to_delete_what_was_never_created(refused):
    status, error = refused("cluster_delete", cluster_name="k8s")
    assert (status, error["error"], list(error["details"])) == (400, "VALIDATION_ERROR", ["parameters"])
    assert "cluster:k8s" in error["message"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"cluster_name": "k8s"},
        {"node_count": 3},
        *({"cluster_name": "k8s", "node_count": count} for count in (0, 51, "3", 3.0, True, None)),
        *({"cluster_name": name, "node_count": 1} for name in ("", "-a", "a-", "A", "a_b", "a.b", "a" * 41, "a\n", 5)),
        {"cluster_name": "k8s", "node_count": 1, "nodes": 2},
        {"cluster_name": "k8s", "node_count": 1, "taskserv": "nonsense"},
        {"cluster_name": "k8s", "node_count": 1, "version": "0.0.1"},
        {"cluster_name": "k8s", "node_count": 1, "tags": [5]},
        {"cluster_name": "k8s", "node_count": 1, "tags": ["no good"]},
    ],
)
def test_it_refuses_bad_parameters(refused, parameters):
    status, error = refused("cluster_create", **parameters)
    assert (status, error["error"]) == (400, "VALIDATION_ERROR")
    assert error["details"]
    assert not Operation.objects.exists()


def test_it_leaves_nothing_when_a_server_cannot_be_created(run, alice, cloud):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    ended = run(alice, "cluster_create", cluster_name="k8s", node_count=3)
    assert ended["status"] == "failed"
    assert ended["error"].startswith("Step server[")
    assert (hostnames(), cloud.servers()) == ([], [])
    assert run(alice, "cluster_create", cluster_name="k8s", node_count=3)["status"] == "completed"


def test_it_leaves_nothing_when_the_taskserv_is_refused(run, define, alice, cloud):
    raw = deepcopy(definitions()["cluster_create"].raw)
    raw["steps"][1]["with"]["config"] = {"version": "{{ steps.server.result[0].ip_address }}"}  # known too late
    define("late", **raw)
    ended = run(alice, "late", cluster_name="k8s", node_count=2)
    assert ended["status"] == "failed"
    assert ended["error"].startswith("Step taskserv failed: ")
    assert ended["error"].endswith("Rolled back: server[0], server[1].")
    assert (hostnames(), cloud.servers()) == ([], [])


def test_it_leaves_nothing_when_cancelled_half_way(api, alice, account, run_worker, cloud):
    body = {"workspace": "production", "workflow_type": "cluster_create"}
    body["parameters"] = {"cluster_name": "k8s", "node_count": 3}
    id = api(alice).post("/v1/workflows/submit", body).json()["id"]
    with pytest.raises(AssertionError, match="still unfinished"):
        run_worker(3)
    assert len(cloud.servers()) == 3
    answer = api(alice).post(f"/v1/workflows/{id}/cancel").json()
    assert answer["status"] == "cancelled"
    run_worker()
    assert api(alice).get(f"/v1/operations/{id}").json()["error"] is None
    assert (hostnames(), cloud.servers(), list(Taskserv.objects.all())) == ([], [], [])
