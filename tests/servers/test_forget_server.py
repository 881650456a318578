"""POST /v1/servers/{id}/forget: a server goes whose machine is proven gone, and no other."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.refusals import refused
from tests.servers.drift import compare, marked, result


@pytest.fixture
def forget(api, alice):
    return lambda server, body=None: api(alice).post(f"/v1/servers/{server.id}/forget", body)


def test_it_forgets_a_server_whose_machine_is_gone(up, forget, cloud, shown, api, alice, run_worker):
    server = up()
    cloud.vanish(server.ref)
    compare(run_worker)
    operation = forget(server).json()
    assert Server.objects.exists()
    run_worker()
    assert (shown(operation)["status"], shown(operation)["result"]) == ("completed", {"server_id": server.id})
    assert api(alice).get("/v1/servers").json() == []
    assert result(compare(run_worker)) == {"servers": 0, "drifted": [], "orphans": []}


@pytest.mark.parametrize("drift", ["", "gone"])
def test_it_forgets_no_machine_that_is_there(drift, up, forget, cloud, shown, run_worker):
    server = up()
    Server.objects.update(drift=drift)
    operation = forget(server).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert "is still there" in shown(operation)["error"]
    assert Server.objects.get().status == "running"
    assert len(cloud.servers()) == 1


def test_it_forgets_no_second_machine_that_carries_the_mark(up, forget, cloud, shown, run_worker):
    server = up()
    cloud.create("second", labels=marked(server.id))
    cloud.vanish(server.ref)
    operation = forget(server).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert Server.objects.exists()


@pytest.mark.parametrize("trouble", ["gateway", "credentials"])
def test_it_forgets_nothing_while_the_cloud_cannot_be_asked(trouble, up, forget, cloud, shown, run_worker):
    server = up()
    cloud.vanish(server.ref)
    if trouble == "gateway":
        cloud.break_gateway_next(method="GET", path=r"/server", times=None)
    else:
        cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path="", times=None)
    operation = forget(server).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert Server.objects.exists()


def test_it_waits_out_an_order_that_may_still_be_carried_out(create, forget, cloud, step, run_worker, settings):
    settings.ORDER_LOOKUP_SECONDS = 30
    cloud.lose_next_answer(commit=False)
    operation = create()
    step()
    Operation.objects.filter(pk=operation["id"]).update(status="failed", due_at=None, lease_owner="")
    Server.objects.update(status="failed")
    forget(Server.objects.get())
    for _ in range(4):
        step()
    assert Server.objects.exists()  # thirty seconds have not passed
    settings.ORDER_LOOKUP_SECONDS = 0
    run_worker()
    assert not Server.objects.exists()


def test_it_refuses_a_server_that_is_protected_or_held(up, forget, cloud, api, alice):
    server = up()
    cloud.vanish(server.ref)
    Server.objects.update(protected=True)
    assert "protected" in refused(forget(server), 409)["message"]
    Server.objects.update(protected=False)
    assert forget(server).status_code == 200
    assert "is held by operation" in refused(forget(server), 409)["message"]
