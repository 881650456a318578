"""Stopping, starting and rebooting at every cloud: what is asked for comes true, whatever happens on the way."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.servers.services import listing
from tests.providers.clouds import on_every_stage


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0)


@pytest.fixture
def came_true(driver, shown):
    """Whether the operation completed and the cloud shows what the row says."""

    def look(operation, status):
        assert shown(operation)["status"] == "completed", shown(operation)
        server = Server.objects.get()
        assert (server.status, shown(operation)["result"]["status"]) == (status, status)
        machine = driver.get(server.ref)
        assert machine.state == status
        if status == "running":
            assert (server.ip_address, server.ssh_port) == (machine.ip, machine.ssh_port)

    return look


@on_every_stage()
def test_it_goes_down_and_comes_up_and_around(create, switch, delete, run_worker, came_true, nothing_is_left, account):
    create()
    run_worker()
    server = Server.objects.get()
    for verb, status in [("stop", "stopped"), ("start", "running"), ("reboot", "running")]:
        operation = switch(verb, server).json()
        run_worker()
        came_true(operation, status)
    delete()
    run_worker()
    nothing_is_left()


@on_every_stage()
def test_it_survives_a_worker_that_dies_as_it_asks(create, switch, run_worker, worker_dies, came_true, account):
    create()
    run_worker()
    server = Server.objects.get()
    for verb, status, after in [("stop", "stopped", True), ("start", "running", False), ("stop", "stopped", False)]:
        operation = switch(verb, server).json()
        worker_dies(verb, after=after)
        run_worker()
        came_true(operation, status)


@on_every_stage()
def test_it_says_that_a_machine_is_gone(create, switch, stage, shown, run_worker, account):
    create()
    run_worker()
    server = Server.objects.get()
    stage.vanish(server.ref)
    operation = switch("stop", server).json()
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).error_code == "MACHINE_GONE", shown(operation)
    assert (Server.objects.get().status, Server.objects.get().drift) == ("failed", "gone")
