import pytest

from apps.operations import transitions
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.servers.models import Server


@pytest.fixture
def delete(api, alice):
    def ask(server, body=None):
        return api(alice).delete(f"/v1/servers/{getattr(server, 'id', server)}", body)

    return ask


def test_it_leaves_nothing(up, delete, shown, api, alice, cloud, run_worker):
    server = up()
    operation = delete(server, {"workspace": "production", "server_id": server.id, "force": False}).json()
    assert operation["status"] == "pending"
    assert api(alice).get(f"/v1/servers/{server.id}/status").json()["status"] == "deleting"
    run_worker()
    assert (shown(operation)["status"], shown(operation)["result"]) == ("completed", {"server_id": server.id})
    assert cloud.servers() == cloud.disks() == []
    assert api(alice).get("/v1/servers").json() == []
    assert api(alice).get(f"/v1/servers/{server.id}/status").status_code == 404
    assert delete(server).status_code == 404


def test_it_needs_no_body(up, delete, run_worker):
    assert delete(up()).status_code == 200


def test_it_stops_a_machine_that_takes_its_time(up, delete, cloud, run_worker):
    server = up()
    cloud.set(stop_seconds=0.3)
    delete(server)
    run_worker()
    assert cloud.servers() == cloud.disks() == []


@pytest.mark.parametrize("method", ["DELETE", "POST", "GET"])
def test_it_leaves_nothing_when_answers_are_lost(method, up, delete, shown, cloud, run_worker):
    server = up()
    cloud.lose_next_answer(method=method, path=r"/server/", times=2)
    operation = delete(server).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert cloud.servers() == cloud.disks() == []


def test_it_removes_a_server_whose_machine_is_already_gone(up, delete, cloud, run_worker):
    server = up()
    cloud.vanish(server.ref)
    delete(server, {"force": True})
    run_worker()
    assert not Server.objects.exists()


def test_even_force_forgets_no_machine_that_may_still_cost_money(up, delete, shown, cloud, run_worker):
    server = up()
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path="", times=None)
    operation = delete(server, {"force": True}).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert Server.objects.get().status == "failed"
    cloud.heal()
    delete(server)
    run_worker()
    assert cloud.servers() == []
    assert not Server.objects.exists()


def test_it_leaves_somebody_elses_machine_alone(up, delete, cloud, run_worker):
    server = up()
    other = cloud.create("other", labels={"prov-install": "another", "prov-machine": server.id})
    delete(server)
    run_worker()
    assert [machine["uuid"] for machine in cloud.servers()] == [other["uuid"]]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"server_id": "srv-other"}, 400),
        ({"workspace": "staging"}, 404),
        ({"force": "true"}, 400),
        ({"forced": True}, 400),
    ],
)
def test_it_refuses_a_body_that_does_not_fit(given, status, up, delete):
    server = up()
    assert delete(server, given).status_code == status
    assert Server.objects.get().status == "running"


def test_it_names_the_operation_that_holds_the_server(create, delete):
    operation = create()
    answer = delete(Server.objects.get())
    assert (answer.status_code, operation["id"] in answer.json()["message"]) == (409, True)


def test_force_takes_over_from_an_operation_at_rest(create, delete, shown, cloud, step, run_worker):
    cloud.set(boot_seconds=0.5)
    creation = create()
    step()
    deletion = delete(Server.objects.get(), {"force": True}).json()
    run_worker()
    assert (shown(creation)["status"], shown(deletion)["status"]) == ("cancelled", "completed")
    assert cloud.servers() == cloud.disks() == []


def test_force_waits_out_an_order_that_may_still_be_carried_out(create, delete, cloud, step, run_worker, settings):
    settings.ORDER_LOOKUP_SECONDS = 30
    cloud.lose_next_answer(commit=False)
    create()
    step()
    delete(Server.objects.get(), {"force": True})
    step()
    assert Server.objects.get().status == "deleting"  # thirty seconds have not passed
    settings.ORDER_LOOKUP_SECONDS = 0
    run_worker()
    assert not Server.objects.exists()


def test_force_does_not_snatch_from_a_worker(create, delete):
    create()
    [lease] = leases.claim(owner="node", max_count=1)
    transitions.set_running(lease)
    assert delete(Server.objects.get(), {"force": True}).status_code == 409


def test_a_deletion_cancelled_before_it_began_changes_nothing(up, delete, api, alice):
    server = up()
    operation = delete(server).json()
    assert api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()["status"] == "cancelled"
    assert Server.objects.get().status == "running"


def test_a_deletion_cancelled_midway_says_what_is_true(up, delete, api, alice, cloud, step, run_worker):
    server = up()
    cloud.set(stop_seconds=60)
    operation = delete(server).json()
    step()
    assert api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()["status"] == "cancelled"
    cloud.set(stop_seconds=0)
    run_worker()
    assert Server.objects.get().status in ("running", "stopped")
    assert Operation.objects.get(pk=operation["id"]).due_at is None
