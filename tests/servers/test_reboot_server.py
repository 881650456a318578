import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.operations.fleet import eventually
from tests.refusals import refused

pytestmark = pytest.mark.usefixtures("quick_looks")


def test_it_reboots_the_machine_once(up, switch, shown, cloud, run_worker):
    server = up()
    operation = switch("reboot", server).json()
    run_worker()
    expected = {"server_id": server.id, "status": "running", "ip_address": server.ip_address}
    assert (shown(operation)["status"], shown(operation)["result"]) == ("completed", expected)
    assert len(cloud.events("restart")) == 1


def test_it_does_not_believe_a_machine_that_has_not_gone_down_yet(up, switch, shown, cloud, step, settings, run_worker):
    settings.POWER_STATE_LAG_SECONDS = 60
    server = up()
    cloud.set(boot_seconds=2)
    operation = switch("reboot", server).json()
    for _ in range(3):
        step()
    eventually(lambda: cloud.servers()[0]["state"] == "started", 10, "the machine to be up")
    assert shown(operation)["status"] == "running"
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert Operation.objects.get(pk=operation["id"]).state["down"] is True
    assert len(cloud.events("restart")) == 1


def test_it_believes_one_that_was_never_seen_down_after_a_while(up, switch, shown, cloud, step, settings, run_worker):
    settings.POWER_STATE_LAG_SECONDS = 60
    operation = switch("reboot", up()).json()
    for _ in range(5):
        step()
    assert shown(operation)["status"] == "running"
    settings.POWER_STATE_LAG_SECONDS = 0
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert len(cloud.events("restart")) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cloud: cloud.lose_next_answer(path="/restart$", commit=False),
        lambda cloud: cloud.respond_next(503, path="/restart$"),
        lambda cloud: cloud.limit_rate_next(path="/restart$"),
        lambda cloud: cloud.refuse_next("SERVER_STATE_ILLEGAL", path="/restart$"),
    ],
    ids=["request-lost", "503", "429", "busy"],
)
def test_it_asks_again_when_nothing_came_of_it(spoil, up, switch, shown, cloud, run_worker):
    server = up()
    spoil(cloud)
    operation = switch("reboot", server).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert len(cloud.events("restart")) == 1


def test_it_does_not_ask_again_when_the_lost_answer_was_yes(up, switch, shown, cloud, settings, run_worker):
    settings.POWER_STATE_LAG_SECONDS = 60
    server = up()
    cloud.set(boot_seconds=2)
    cloud.lose_next_answer(path="/restart$")
    operation = switch("reboot", server).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert len(cloud.events("restart")) == 1


def test_it_refuses_a_stopped_server(stopped, switch):
    body = refused(switch("reboot", stopped), 409, "CONFLICT")
    assert body["message"] == "web-01 is stopped; start it instead of rebooting it."


def test_it_takes_one_that_was_started_outside(stopped, switch, shown, outside, run_worker):
    outside(stopped, "start")
    Server.objects.update(drift="started")
    operation = switch("reboot", stopped).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert (Server.objects.get().status, Server.objects.get().drift) == ("running", "")


def test_it_fails_on_a_machine_that_was_stopped_outside(up, switch, shown, cloud, outside, run_worker):
    server = up()
    outside(server, "stop")
    operation = switch("reboot", server).json()
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).error_code == "NOT_RUNNING"
    assert "start it instead" in shown(operation)["error"]
    assert not cloud.events("restart")
    assert cloud.servers()[0]["state"] == "stopped"


def test_it_fails_when_the_machine_vanishes_meanwhile(up, switch, cloud, step, settings, run_worker):
    settings.POWER_STATE_LAG_SECONDS = 60
    server = up()
    cloud.set(boot_seconds=60)
    operation = switch("reboot", server).json()
    step()
    cloud.vanish(server.ref)
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).error_code == "MACHINE_GONE"
    assert (Server.objects.get().status, Server.objects.get().drift) == ("failed", "gone")


def test_cancelled_midway_it_waits_until_the_machine_is_at_rest(
    up, switch, api, alice, cloud, step, settings, run_worker
):
    settings.POWER_STATE_LAG_SECONDS = 1.0
    server = up()
    cloud.set(boot_seconds=2)
    operation = switch("reboot", server).json()
    step()
    assert api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()["status"] == "cancelled"
    assert Operation.objects.get(pk=operation["id"]).due_at is not None
    run_worker()
    assert (Server.objects.get().status, cloud.servers()[0]["state"]) == ("running", "started")
