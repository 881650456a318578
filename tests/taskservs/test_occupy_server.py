"""What a server's deletion has to know of taskservs; here with real servers of the emulated cloud."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.servers.services.expiry import expire_servers
from apps.taskservs.models import Taskserv
from tests.refusals import refused


@pytest.fixture
def two(api, alice, body, run_worker):
    """Two servers made through the API."""
    for hostname in ("web-01", "web-02"):
        assert api(alice).post("/v1/servers/create", {**body, "hostname": hostname}).status_code == 200
    run_worker()
    assert set(Server.objects.values_list("status", "emulated")) == {("running", True)}
    return {server.hostname: server for server in Server.objects.all()}


def test_it_keeps_an_occupied_server_from_being_deleted(two, install, api, alice):
    id = install("redis", ["web-01"])
    message = refused(api(alice).delete(f"/v1/servers/{two['web-01'].id}"), 409)["message"]
    assert "redis" in message and id in message
    assert api(alice).delete(f"/v1/servers/{two['web-02'].id}").status_code == 200


def test_it_goes_with_a_server_that_is_deleted_by_force(two, install, api, alice, run_worker):
    both, one = install("redis", ["web-01", "web-02"]), install("nginx", ["web-01"])
    assert api(alice).delete(f"/v1/servers/{two['web-01'].id}", {"force": True}).status_code == 200
    assert Taskserv.objects.filter(pk=one).exists()  # it stays until the machine is proven gone
    run_worker()
    [left] = api(alice).get("/v1/taskservs").json()
    assert (left["id"], left["servers"]) == (both, ["web-02"])


def test_a_cluster_lets_a_server_go_before_it_is_deleted(two, install, api, alice, body, run_worker, lines):
    api(alice).post("/v1/servers/create", {**body, "hostname": "web-03"})
    run_worker()
    id = install("etcd", ["web-01", "web-02", "web-03"])
    answer = api(alice).delete(f"/v1/servers/{two['web-02'].id}", {"force": True})
    run_worker()
    log = [line for line in lines(answer) if "emulated" in line]
    assert log and all(line.startswith("web-02: ") for line in log)
    assert api(alice).get(f"/v1/taskservs/{id}").json()["servers"] == ["web-01", "web-03"]


def test_a_cluster_forgets_a_server_that_is_down_before_it_is_deleted(
    two, install, api, alice, body, run_worker, lines
):
    api(alice).post("/v1/servers/create", {**body, "hostname": "web-03"})
    run_worker()
    install("etcd", ["web-01", "web-02", "web-03"])
    id = install("redis", ["web-02", "web-01", "web-03"])
    api(alice).post(f"/v1/servers/{two['web-02'].id}/stop")
    run_worker()
    answer = api(alice).delete(f"/v1/servers/{two['web-02'].id}", {"force": True})
    run_worker()
    log = [line for line in lines(answer) if "emulated" in line]
    assert any(line.startswith("web-01: Take members that are gone out of the cluster") for line in log)
    assert any(line.startswith("web-01: Configure with the new roles") for line in log)
    assert not any(line.startswith("web-02: ") for line in log)
    shown = api(alice).get(f"/v1/taskservs/{id}").json()["installations"]
    assert [(each["hostname"], each["role"]) for each in shown] == [("web-01", "primary"), ("web-03", "replica")]


def test_the_next_server_becomes_the_primary(two, install, api, alice, run_worker):
    id = install("redis", ["web-01", "web-02"])
    api(alice).delete(f"/v1/servers/{two['web-01'].id}", {"force": True})
    run_worker()
    [left] = api(alice).get(f"/v1/taskservs/{id}").json()["installations"]
    assert (left["hostname"], left["role"]) == ("web-02", "primary")


@pytest.mark.parametrize("begun", [False, True])
def test_it_ends_an_installation_whose_server_is_deleted_by_force(two, ask, step, api, alice, run_worker, begun):
    answer = ask("redis", ["web-01"])
    if begun:
        step(answer)
    api(alice).delete(f"/v1/servers/{two['web-01'].id}", {"force": True})
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert operation.status == "failed" and operation.error_code in ("CONFLICT", "SERVER_GONE"), operation.error
    assert list(Server.objects.values_list("hostname", flat=True)) == ["web-02"]
    assert not Taskserv.objects.exists()


def test_it_ends_a_removal_whose_server_is_deleted_by_force(two, install, step, api, alice, run_worker):
    id = install("redis", ["web-01"])
    answer = api(alice).delete(f"/v1/taskservs/{id}")
    api(alice).delete(f"/v1/servers/{two['web-01'].id}", {"force": True})
    run_worker()
    assert Operation.objects.get(pk=answer.json()["id"]).has_ended
    assert not Taskserv.objects.exists()


@pytest.mark.parametrize("verb", ["stop", "reboot"])
def test_it_keeps_a_server_that_is_worked_on_from_being_switched(verb, two, ask, api, alice, run_worker):
    operation = ask("redis", ["web-01"]).json()
    message = refused(api(alice).post(f"/v1/servers/{two['web-01'].id}/{verb}"), 409)["message"]
    assert operation["id"] in message
    assert api(alice).post(f"/v1/servers/{two['web-02'].id}/{verb}").status_code == 200
    run_worker()
    assert api(alice).post(f"/v1/servers/{two['web-01'].id}/{verb}").status_code == 200


def test_it_installs_nothing_on_a_server_that_is_being_stopped(two, ask, api, alice):
    operation = api(alice).post(f"/v1/servers/{two['web-01'].id}/stop").json()
    assert operation["id"] in refused(ask("redis", ["web-01"]), 409)["message"]


def test_it_keeps_an_expired_server(two, install, run_worker):
    id = install("redis", ["web-01"])
    Server.objects.update(expires_at="2020-01-01T00:00:00Z")
    expire_servers()
    run_worker()
    assert list(Server.objects.values_list("hostname", flat=True)) == ["web-01"]
    assert id in Operation.objects.get(error_code="SERVER_OCCUPIED").error
