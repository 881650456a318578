"""Deleting servers from the admin site."""

import pytest

from apps.operations.models import Operation
from apps.servers import registry, services
from apps.servers.models import Server
from tests.console import a_server, act, browser, page, seeded, shown_messages, staff


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def test_it_asks_first(chief, account, workspace):
    server = a_server(account, workspace)
    html = act(browser(chief), [server], "delete_servers").content.decode()
    assert "1 server will be deleted" in html
    assert "web-01" in html
    assert not Operation.objects.exists()


def test_it_queues_the_deletions_and_names_what_was_refused(chief, account, workspace, run_worker):
    free, held = a_server(account, workspace), a_server(account, workspace, "web-02")
    services.delete_server(server_id=held.pk, actor=None)
    answer = act(browser(chief), [free, held], "delete_servers", confirmed="yes")
    messages = " ".join(shown_messages(answer))
    assert ">Delete web-01</a>" in messages
    assert "web-02: “Delete web-02” is under way" in messages
    operation = Operation.objects.get(target=free.target)
    assert (operation.kind, operation.actor) == ("server.delete", chief)
    free.refresh_from_db()
    assert free.status == "deleting"
    run_worker()
    assert not Server.objects.exists()


def test_it_refuses_occupied_servers_unless_forced(chief, account, workspace, monkeypatch):
    monkeypatch.setattr(registry, "_occupants", [lambda server: ["docker"]])
    server, client = a_server(account, workspace), browser(chief)
    assert "docker" in act(client, [server], "delete_servers").content.decode()
    assert "carries docker" in shown_messages(act(client, [server], "delete_servers", confirmed="yes"))[0]
    assert not Operation.objects.exists()
    act(client, [server], "delete_servers", confirmed="yes", force="on")
    assert Operation.objects.get().kind == "server.delete"


def test_it_returns_to_the_server_s_page(chief, account, workspace):
    server = a_server(account, workspace)
    answer = act(browser(chief), [server], "delete_servers", confirmed="yes", page=server.pk)
    assert answer.request["PATH_INFO"] == page(server)


def test_it_needs_the_permission(account, workspace):
    server = a_server(account, workspace)
    act(browser(staff("reader", "server_read")), [server], "delete_servers", confirmed="yes")
    assert not Operation.objects.exists()
