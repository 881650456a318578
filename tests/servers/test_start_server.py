import pytest

from apps.operations.models import Operation
from apps.servers.models import Server

pytestmark = pytest.mark.usefixtures("quick_looks")


def test_it_starts_the_machine(stopped, switch, shown, cloud, run_worker):
    operation = switch("start", stopped).json()
    assert Server.objects.get().status == "stopped"  # until it is seen to run
    run_worker()
    expected = {"server_id": stopped.id, "status": "running", "ip_address": stopped.ip_address, "changed": True}
    assert shown(operation)["result"] == expected
    assert Server.objects.get().status == "running"
    assert cloud.servers()[0]["state"] == "started"


def test_it_finds_a_machine_that_runs_already(up, switch, shown, cloud, run_worker):
    operation = switch("start", up()).json()
    run_worker()
    assert (shown(operation)["status"], shown(operation)["result"]["changed"]) == ("completed", False)
    assert not cloud.events("start")


def test_it_starts_one_that_was_stopped_outside(up, switch, shown, cloud, outside, run_worker):
    server = up()
    outside(server, "stop")
    Server.objects.update(drift="stopped", drift_note="It was stopped.", drift_seen_at="2026-01-01T00:00:00Z")
    switch("start", server)
    run_worker()
    assert cloud.servers()[0]["state"] == "started"
    server.refresh_from_db()
    assert (server.status, server.drift, server.drift_note, server.drift_seen_at) == ("running", "", "", None)


def test_it_keeps_a_drift_that_a_start_does_not_mend(stopped, switch, run_worker):
    Server.objects.update(drift="resized", drift_note="It is larger.")
    switch("start", stopped)
    run_worker()
    assert Server.objects.get().drift == "resized"


def test_it_notes_an_address_that_is_another_one_now(stopped, switch, shown, log, run_worker):
    Server.objects.update(ip_address="192.0.2.1")  # as before the stop, at a cloud that gives a new one
    operation = switch("start", stopped).json()
    run_worker()
    address = Server.objects.get().ip_address
    assert address == stopped.ip_address == shown(operation)["result"]["ip_address"]
    assert f"Its address is {address} now." in log()


def test_it_waits_for_one_that_is_on_its_way(stopped, switch, shown, cloud, outside, step, run_worker):
    cloud.set(boot_seconds=0.5, start_blocks_seconds=0.5)
    cloud.fault("hang", path="/start$", seconds=0)
    cloud.request("POST", f"/server/{stopped.ref}/start", json={"server": {"start_type": "async"}}).raise_for_status()
    operation = switch("start", stopped).json()
    step()
    assert "is starting at UpCloud" in Operation.objects.get(pk=operation["id"]).status_message
    run_worker()
    assert shown(operation)["result"]["changed"] is False
    assert len(cloud.events("start")) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cloud: cloud.lose_next_answer(path="/start$"),
        lambda cloud: cloud.lose_next_answer(path="/start$", commit=False),
        lambda cloud: cloud.respond_next(503, path="/start$", times=2),
        lambda cloud: cloud.refuse_next("SERVER_STATE_ILLEGAL", path="/start$"),
    ],
    ids=["answer-lost", "request-lost", "503", "busy"],
)
def test_it_starts_it_once_whatever_the_first_answer(spoil, stopped, switch, cloud, run_worker):
    spoil(cloud)
    switch("start", stopped)
    run_worker()
    assert Server.objects.get().status == "running"
    assert len(cloud.events("start")) == 1


def test_a_refusal_leaves_it_stopped(stopped, switch, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE", path="/start$")
    switch("start", stopped)
    run_worker()
    operation = Operation.objects.latest("created_at")
    assert (operation.status, operation.error_code) == ("failed", "PROVIDER_CAPACITY")
    assert (Server.objects.get().status, Server.objects.get().drift) == ("stopped", "")


def test_it_fails_when_the_machine_is_gone(stopped, switch, cloud, run_worker):
    cloud.vanish(stopped.ref)
    switch("start", stopped)
    run_worker()
    assert Operation.objects.latest("created_at").error_code == "MACHINE_GONE"
    assert (Server.objects.get().status, Server.objects.get().drift) == ("failed", "gone")


def test_cancelled_after_it_was_asked_for_the_row_says_what_is_true(
    stopped, switch, api, alice, cloud, step, run_worker
):
    operation = switch("start", stopped).json()
    step()
    answer = api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()
    assert answer["status"] == "cancelled"
    run_worker()
    assert (Server.objects.get().status, cloud.servers()[0]["state"]) == ("running", "started")


def test_a_server_without_a_machine_cannot_be_started(stopped, switch, run_worker):
    Server.objects.update(ref="")
    switch("start", stopped)
    run_worker()
    assert Operation.objects.latest("created_at").error_code == "MACHINE_GONE"
