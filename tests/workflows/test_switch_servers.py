"""Servers as steps: made with options, started, stopped, and put back as they were."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.servers.services import listing
from tests.refusals import refused

BREAKS = {"name": "breaks", "uses": "probe.make", "with": {"name": "b", "fails": 9}}
ORDER = {"provider": "upcloud", "plan": "2xCPU-4GB", "hostname": "web-01", "zone": "de-fra1"}


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0)


@pytest.fixture
def server(api, alice, body, run_worker):
    api(alice).post("/v1/servers/create", body)
    run_worker()
    return Server.objects.get()


def power_of(server, verb):
    return {"name": verb, "uses": f"server.{verb}", "with": {"server_id": server.id}}


def error_of(operation):
    return Operation.objects.get(pk=operation["id"]).error


def test_it_stops_and_starts_them(server, define, submit, run_worker, steps_of, cloud):
    define("restart", steps=[power_of(server, "stop"), power_of(server, "start") | {"needs": ["stop"]}])
    operation = submit("restart")
    run_worker()
    assert {name: step["status"] for name, step in steps_of(operation).items()} == {
        "stop": "completed",
        "start": "completed",
    }
    assert [event["event"] for event in cloud.events()] == ["create", "stop", "start"]
    assert Server.objects.get().status == "running"


def test_it_starts_again_what_it_has_stopped_when_it_is_rolled_back(server, define, submit, run_worker, cloud):
    define("halts", steps=[power_of(server, "stop"), BREAKS | {"needs": ["stop"]}])
    submit("halts")
    run_worker()
    assert [event["event"] for event in cloud.events()] == ["create", "stop", "start"]
    assert Server.objects.get().status == "running"


def test_it_takes_nothing_back_that_it_has_not_changed(server, define, submit, run_worker, cloud):
    define("starts", steps=[power_of(server, "start"), BREAKS | {"needs": ["start"]}])
    submit("starts")
    run_worker()
    assert [event["event"] for event in cloud.events()] == ["create"]
    assert Server.objects.get().status == "running"


def test_it_reboots_them(server, define, submit, run_worker, cloud):
    define("reboots", steps=[power_of(server, "reboot")])
    submit("reboots")
    run_worker()
    assert [event["event"] for event in cloud.events()] == ["create", "restart"]


def test_it_makes_them_with_options(account, define, submit, run_worker, steps_of):
    more = {"expires_at": "2999-01-01T00:00:00Z", "image": account.images.first().name}
    define("makes", steps=[{"name": "make", "uses": "server.create", "with": ORDER | more}])
    operation = submit("makes")
    run_worker()
    server = Server.objects.get()
    assert (server.status, server.image, server.expires_at.year) == ("running", more["image"], 2999)
    assert steps_of(operation)["make"]["status"] == "completed"


def test_it_takes_no_user_data_for_steps_show_what_they_were_given(account, define, api, alice):
    define("makes", steps=[{"name": "make", "uses": "server.create", "with": ORDER | {"user_data": "hush"}}])
    body = {"workspace": "production", "workflow_type": "makes", "parameters": {}}
    answer = refused(api(alice).post("/v1/workflows/submit", body), 400)
    assert "user_data" in answer["message"]
    assert "hush" not in str(answer)


def test_a_protected_server_outlives_its_rollback_which_says_so(account, define, submit, run_worker, cloud):
    make = {"name": "make", "uses": "server.create", "with": ORDER | {"protected": True}}
    define("makes", steps=[make, BREAKS | {"needs": ["make"]}])
    operation = submit("makes")
    run_worker()
    assert "Left: make (web-01 is protected from deletion" in error_of(operation)
    assert Server.objects.get().status == "running"
    assert len(cloud.servers()) == 1
