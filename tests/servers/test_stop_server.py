import pytest

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.servers import registry
from apps.servers.models import Server
from tests.refusals import refused

pytestmark = pytest.mark.usefixtures("quick_looks")


@pytest.fixture
def booting(up, settings):
    """A server that runs, on a cloud that takes its time from now on."""
    settings.POWER_STATE_LAG_SECONDS = 30
    return up


def test_it_stops_the_machine_and_keeps_its_disk(up, switch, shown, cloud, run_worker):
    server = up()
    answer = switch("stop", server)
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert answer.json()["status"] == "pending"
    assert Server.objects.get().status == "running"  # until it is seen to have stopped
    run_worker()
    ended = shown(answer.json())
    expected = {"server_id": server.id, "status": "stopped", "ip_address": server.ip_address, "changed": True}
    assert (ended["status"], ended["result"]) == ("completed", expected)
    assert Server.objects.get().status == "stopped"
    [machine] = cloud.servers()
    assert (machine["state"], len(cloud.disks())) == ("stopped", 1)


def test_it_waits_until_the_machine_has_stopped(booting, switch, shown, cloud, step, run_worker):
    server = booting()
    cloud.set(stop_seconds=0.5)
    operation = switch("stop", server).json()
    for _ in range(4):
        step()
    assert shown(operation)["status"] == "running"
    assert "is running at UpCloud" in Operation.objects.get(pk=operation["id"]).status_message
    run_worker()
    assert Server.objects.get().status == "stopped"
    assert len(cloud.events("stop")) == 1  # asked once, though it went on looking as if it ran


def test_it_finds_a_machine_that_is_stopped_already(up, switch, shown, cloud, outside, run_worker):
    server = up()
    outside(server, "stop")
    operation = switch("stop", server).json()
    run_worker()
    assert shown(operation)["result"]["changed"] is False
    assert Server.objects.get().status == "stopped"
    assert len(cloud.events("stop")) == 1


def test_it_takes_a_server_that_is_known_to_be_stopped(stopped, switch, shown, cloud, run_worker):
    operation = switch("stop", stopped).json()
    run_worker()
    assert (shown(operation)["status"], shown(operation)["result"]["changed"]) == ("completed", False)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cloud: cloud.lose_next_answer(path="/stop$"),
        lambda cloud: cloud.lose_next_answer(path="/stop$", commit=False),
        lambda cloud: cloud.respond_next(503, path="/stop$", times=2),
        lambda cloud: cloud.limit_rate_next(path="/stop$", retry_after=1),
        lambda cloud: cloud.refuse_next("SERVER_STATE_ILLEGAL", path="/stop$"),
        lambda cloud: cloud.lose_next_answer(method="GET", path="/server", times=3),
        lambda cloud: cloud.break_gateway_next(method="GET", path=r"/server$", times=2),
    ],
    ids=["answer-lost", "request-lost", "503", "429", "busy", "look-lost", "list-html"],
)
def test_it_stops_it_once_whatever_the_first_answer(spoil, up, switch, shown, cloud, run_worker):
    server = up()
    spoil(cloud)
    operation = switch("stop", server).json()
    run_worker()
    assert shown(operation)["status"] == "completed", shown(operation)
    assert Server.objects.get().status == "stopped"
    assert len(cloud.events("stop")) == 1


def test_a_worker_that_died_after_asking_is_followed_by_one_that_looks(booting, switch, cloud, step, run_worker):
    server = booting()
    cloud.set(stop_seconds=0.3)
    switch("stop", server)
    step()
    Operation.objects.unfinished().update(state={"asked_at": "2020-01-01T00:00:00+00:00"})  # nothing more was stored
    run_worker()
    assert Server.objects.get().status == "stopped"


def test_it_fails_when_the_machine_is_gone(up, switch, shown, cloud, run_worker):
    server = up()
    cloud.vanish(server.ref)
    operation = switch("stop", server).json()
    run_worker()
    assert (shown(operation)["status"], Operation.objects.get(pk=operation["id"]).error_code) == (
        "failed",
        "MACHINE_GONE",
    )
    server.refresh_from_db()
    assert (server.status, server.drift, server.drift_note) == ("failed", "gone", shown(operation)["error"])
    assert server.drift_seen_at is not None


def test_it_fails_when_the_machine_vanishes_meanwhile(booting, switch, cloud, step, run_worker):
    server = booting()
    cloud.set(stop_seconds=60)
    switch("stop", server)
    step()
    cloud.vanish(server.ref)
    run_worker()
    assert (Server.objects.get().status, Server.objects.get().drift) == ("failed", "gone")


def test_a_failure_leaves_what_is_true(up, switch, shown, cloud, run_worker):
    server = up()
    cloud.refuse_next("ACTION_FORBIDDEN", status=403, path="/stop$")
    operation = switch("stop", server).json()
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).error_code == "PROVIDER_FORBIDDEN"
    assert Server.objects.get().status == "running"


def test_it_gives_up_when_its_time_is_up_and_says_what_it_saw(booting, switch, shown, cloud, step, run_worker):
    server = booting()
    cloud.set(stop_seconds=60)
    operation = switch("stop", server).json()
    step()
    Operation.objects.filter(pk=operation["id"]).update(deadline_at="2020-01-01T00:00:00Z")
    run_worker()
    assert "is running" in shown(operation)["error"]
    assert Server.objects.get().status == "running"


def test_it_asks_for_many_states_by_one_list(booting, switch, cloud, step, run_worker, monkeypatch):
    for number in range(8):
        booting(hostname=f"web-{number}")
    monkeypatch.undo()
    cloud.set(stop_seconds=0.7)
    for server in Server.objects.all():
        switch("stop", server)
    step()
    before = cloud.calls("GET", r"/server/0")
    run_worker()
    assert Server.objects.filter(status="stopped").count() == 8
    assert cloud.calls("GET", r"/server/0") == before + 8  # each confirms once what the list has shown
    assert len(cloud.events("stop")) == 8


# ── cancelling ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def cancel(api, alice):
    return lambda operation: api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()


def test_cancelled_before_it_began_it_changes_nothing(up, switch, cancel, cloud, run_worker):
    operation = switch("stop", up()).json()
    assert cancel(operation)["status"] == "cancelled"
    run_worker()
    assert Server.objects.get().status == "running"
    assert not cloud.events("stop")


def test_cancelled_midway_the_row_says_what_became_of_the_machine(
    booting, switch, cancel, shown, cloud, step, run_worker
):
    server = booting()
    cloud.set(stop_seconds=0.5)
    operation = switch("stop", server).json()
    step()
    assert cancel(operation)["status"] == "cancelled"
    run_worker()  # the machine still shows that it runs, and is known to have been ordered to stop
    assert (shown(operation)["status"], shown(operation)["error"]) == ("cancelled", None)
    assert Server.objects.get().status == "stopped"
    assert Operation.objects.get(pk=operation["id"]).due_at is None


def test_cancelled_while_the_machine_vanishes_it_says_so(booting, switch, cancel, shown, cloud, step, run_worker):
    server = booting()
    cloud.set(stop_seconds=60)
    operation = switch("stop", server).json()
    step()
    cancel(operation)
    cloud.vanish(server.ref)
    run_worker()
    assert "no longer exists" in shown(operation)["error"]
    assert (Server.objects.get().status, Server.objects.get().drift) == ("failed", "gone")


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("verb", ["start", "stop", "reboot"])
def test_it_names_the_operation_that_holds_the_server(verb, create, switch):
    operation = create()
    body = refused(switch(verb, Server.objects.get()), 409, "CONFLICT")
    assert operation["id"] in body["message"]


@pytest.mark.parametrize("verb", ["start", "stop", "reboot"])
def test_it_refuses_a_server_that_has_failed(verb, create, switch, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    create()
    run_worker()
    body = refused(switch(verb, Server.objects.get()), 409, "CONFLICT")
    assert "web-01 is failed; only a running or a stopped server can be" in body["message"]


@pytest.mark.parametrize("verb", ["stop", "reboot"])
def test_it_does_not_cut_off_an_installation(verb, up, switch, monkeypatch):
    monkeypatch.setattr(registry, "_busy_operations", [lambda server: ["the-installation"]])
    assert "the-installation" in refused(switch(verb, up()), 409)["message"]


@pytest.mark.parametrize("verb", ["start", "stop", "reboot"])
def test_it_checks_the_body(verb, up, switch):
    server = up()
    refused(switch(verb, server, {"force": True}), 400, field="force")
    refused(switch(verb, server, {"workspace": "staging"}), 404)
    refused(switch(verb, "srv-unknown"), 404)
    refused(switch(verb, "nonsense"), 404)
    assert switch(verb, server, {"workspace": "production"}).status_code == 200


@pytest.mark.parametrize("verb", ["start", "stop", "reboot"])
def test_it_needs_the_permission(verb, up, api, bob, charlie):
    path = f"/v1/servers/{up().id}/{verb}"
    refused(api(bob).post(path), 403)
    refused(api(charlie).post(path), 403)
    refused(api().post(path), 401)


def test_it_acts_once_for_an_idempotency_key(up, api, alice, run_worker):
    path = f"/v1/servers/{up().id}/stop"
    first = api(alice).post(path, HTTP_IDEMPOTENCY_KEY="k1").json()
    run_worker()
    assert api(alice).post(path, HTTP_IDEMPOTENCY_KEY="k1").json() == first
    assert Operation.objects.filter(kind="server.stop").count() == 1


def test_it_does_not_act_for_a_worker_that_has_lost_it(up, switch, cloud):
    from apps.operations.worker import runner

    switch("stop", up())
    [lease] = leases.claim(owner="lost", max_count=1)
    Operation.objects.unfinished().update(fence=lease.fence + 1)
    runner.run(str(lease.operation_id), lease.fence)
    assert not cloud.events("stop")
