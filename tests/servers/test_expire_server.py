"""Servers whose time is over are deleted by themselves, by operations like any other."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.operations import registry
from apps.operations.models import Operation
from apps.servers import registry as servers
from apps.servers.models import Server
from apps.servers.services.expiry import expire_servers
from tests.console import a_server

EXPIRED = "2020-01-01T00:00:00Z"


@pytest.fixture
def expired(up):
    server = up()
    Server.objects.update(expires_at=EXPIRED)
    return server


@pytest.fixture
def occupied(monkeypatch):
    """Whatever is named in it carries something."""
    hostnames = set()
    monkeypatch.setattr(servers, "_occupants", [lambda server: ["docker"] if server.hostname in hostnames else []])
    return hostnames


def deletions():
    return Operation.objects.filter(kind="server.delete").order_by("created_at")


def test_it_is_deleted_by_an_operation_like_any_other(expired, cloud, run_worker):
    expire_servers()
    [operation] = deletions()
    assert (operation.actor, operation.target, operation.status) == (None, expired.target, "pending")
    assert Server.objects.get().status == "deleting"
    run_worker()
    assert cloud.servers() == cloud.disks() == []
    assert not Server.objects.exists()
    assert "web-01 expired at 2020-01-01T00:00:00Z" in operation.events.first().message


def test_it_runs_each_minute():
    [timer] = [timer for timer in registry.periodic_tasks() if timer.name == "expire servers"]
    assert (timer.function, timer.minutes) == ("apps.servers.services.expiry.expire_servers", 1)


@pytest.mark.parametrize(
    "facts",
    [{"expires_at": None}, {"expires_at": "2999-01-01T00:00:00Z"}, {"expires_at": EXPIRED, "protected": True}],
    ids=["never", "later", "protected"],
)
def test_it_leaves_others_alone(facts, up):
    up()
    Server.objects.update(**facts)
    expire_servers()
    assert not deletions().exists()


def test_it_waits_for_the_operation_that_holds_the_server(create, run_worker):
    create()
    Server.objects.update(expires_at=EXPIRED)
    expire_servers()
    assert not deletions().exists()
    run_worker()
    expire_servers()
    assert deletions().count() == 1


def test_what_carries_services_stays_and_says_so_once(expired, occupied, shown):
    occupied.add("web-01")
    for _ in range(3):
        expire_servers()
    [refusal] = deletions()
    assert (refusal.status, refusal.due_at, refusal.error_code) == ("failed", None, "SERVER_OCCUPIED")
    message = "It expired at 2020-01-01T00:00:00Z and stays: web-01 carries docker"
    assert shown({"id": refusal.pk})["error"].startswith(message)
    assert refusal.events.get().message.startswith(message)
    assert Server.objects.get().status == "running"


def test_it_goes_as_soon_as_it_is_free(expired, occupied, run_worker):
    occupied.add("web-01")
    expire_servers()
    occupied.clear()
    expire_servers()
    run_worker()
    assert not Server.objects.exists()


def test_a_later_expiry_is_reported_again(expired, occupied):
    occupied.add("web-01")
    expire_servers()
    Operation.objects.filter(kind="server.delete").update(created_at=timezone.now() - timedelta(minutes=9))
    Server.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    expire_servers()
    assert deletions().count() == 2


def test_one_that_stays_holds_up_no_other(account, workspace, occupied, monkeypatch):
    monkeypatch.setattr("apps.servers.services.expiry.BATCH", 2)
    for number in range(7):
        a_server(account, workspace, f"web-{number}", expires_at=EXPIRED)
    occupied.update(f"web-{number}" for number in range(5))
    expire_servers()
    assert Server.objects.filter(status="deleting").count() == 2
    assert deletions().filter(error_code="SERVER_OCCUPIED").count() == 5


def test_a_deletion_that_failed_is_tried_again_after_an_hour(expired, cloud, run_worker):
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path="", times=None)
    expire_servers()
    run_worker()
    cloud.heal()
    expire_servers()
    assert deletions().count() == 1
    deletions().update(created_at=timezone.now() - timedelta(minutes=61))
    expire_servers()
    run_worker()
    assert not Server.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_nodes_at_once_delete_it_once(account, workspace):
    a_server(account, workspace, expires_at=EXPIRED)
    start = threading.Barrier(4)

    def node():
        start.wait()
        expire_servers()
        connection.close()

    threads = [threading.Thread(target=node) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert deletions().count() == 1
