"""POST /v1/servers/{id}/adopt: what the cloud shows becomes what is right."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.refusals import refused
from tests.servers.drift import compare, marked, resize, result, switch


@pytest.fixture
def adopt(api, alice):
    return lambda server, body=None: api(alice).post(f"/v1/servers/{server.id}/adopt", body)


def seen(server):
    server.refresh_from_db()
    return server.status, server.drift


def test_it_accepts_a_stop(up, adopt, cloud, shown, run_worker):
    server = up()
    switch(cloud, server, "stop")
    compare(run_worker)
    operation = adopt(server).json()
    assert operation["status"] == "pending"
    run_worker()
    adopted = shown(operation)["result"]
    assert (adopted["server_id"], adopted["status"], adopted["plan"]) == (server.id, "stopped", "2xCPU-4GB")
    assert seen(server) == ("stopped", "")
    assert result(compare(run_worker))["drifted"] == []
    switch(cloud, server, "start")
    compare(run_worker)
    assert seen(server) == ("running", "started"), "a stop was what was wanted"


def test_it_accepts_another_plan(up, adopt, cloud, run_worker):
    server = up()
    resize(cloud, server, "4xCPU-8GB")
    switch(cloud, server, "start")
    compare(run_worker)
    adopt(server)
    run_worker()
    assert seen(server) == ("running", "")
    assert (server.plan, server.size) == ("4xCPU-8GB", "4xCPU-8GB")
    assert result(compare(run_worker))["drifted"] == []


def test_it_accepts_what_is_true_now_and_not_what_was_seen(up, adopt, cloud, run_worker):
    server = up()
    switch(cloud, server, "stop")
    compare(run_worker)
    adopt(server)
    switch(cloud, server, "start")
    run_worker()
    assert seen(server) == ("running", "")


def test_it_takes_over_the_machine_of_a_failed_creation(create, adopt, cloud, account, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    create()
    run_worker()
    server = Server.objects.get()
    machine = cloud.create("web-01", labels=marked(server.id))
    assert result(compare(run_worker)) == {"servers": 1, "drifted": [server.id], "orphans": []}
    adopt(server)
    run_worker()
    assert seen(server) == ("running", "")
    assert (server.ref, bool(server.ip_address), server.disks != []) == (machine["uuid"], True, True)


def test_it_fails_when_there_is_no_machine(up, adopt, cloud, shown, run_worker):
    server = up()
    switch(cloud, server, "stop")
    compare(run_worker)
    cloud.vanish(server.ref)
    operation = adopt(server).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert "recreate or forget it" in shown(operation)["error"]
    assert seen(server) == ("failed", "gone")


def test_it_does_not_accept_a_machine_whose_mark_was_taken_away(up, adopt, cloud, shown, run_worker):
    server = up()
    switch(cloud, server, "stop")
    compare(run_worker)
    body = {"server": {"labels": {"label": []}}}
    cloud.request("PUT", f"/server/{server.ref}", json=body).raise_for_status()
    operation = adopt(server).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert seen(server) == ("stopped", "stopped")


def test_it_changes_nothing_when_it_is_cancelled(up, adopt, cloud, api, alice, run_worker):
    server = up()
    switch(cloud, server, "stop")
    compare(run_worker)
    operation = adopt(server).json()
    api(alice).post(f"/v1/operations/{operation['id']}/cancel")
    run_worker()
    assert seen(server) == ("stopped", "stopped")


def test_it_refuses_what_has_not_drifted_or_is_held(up, adopt, cloud, run_worker):
    server = up()
    assert "nothing to adopt" in refused(adopt(server), 409)["message"]
    switch(cloud, server, "stop")
    compare(run_worker)
    refused(adopt(server, {"workspace": "staging"}), 404)
    refused(adopt(server, {"force": True}), 400, field="force")
    adopt(server)
    assert "is held by operation" in refused(adopt(server), 409)["message"]
    assert Operation.objects.filter(kind="server.adopt").count() == 1
