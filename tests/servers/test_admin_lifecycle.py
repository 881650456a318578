"""Starting, stopping, rebooting, protecting and expiring servers from the admin site."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.console import a_server, act, browser, listing, page, seeded, shown_messages, staff


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def server(account, workspace):
    return a_server(account, workspace)


def test_it_starts_at_once(chief, server):
    assert ">Start web-01</a>" in shown_messages(act(browser(chief), [server], "start_servers"))[0]
    operation = Operation.objects.get()
    assert (operation.kind, operation.actor, operation.target) == ("server.start", chief, server.target)


@pytest.mark.parametrize("verb", ["stop", "reboot"])
def test_it_asks_before_it_interrupts(verb, chief, server):
    html = act(browser(chief), [server], f"{verb}_servers").content.decode()
    assert f"{verb.capitalize()} 1 server? What runs on it is interrupted." in html
    assert not Operation.objects.exists()
    answer = act(browser(chief), [server], f"{verb}_servers", confirmed="yes", page=server.pk)
    assert answer.request["PATH_INFO"] == page(server)
    assert Operation.objects.get().kind == f"server.{verb}"


def test_it_names_what_was_refused(chief, account, workspace):
    failed = a_server(account, workspace, status="failed")
    assert "only a running or a stopped server" in shown_messages(act(browser(chief), [failed], "start_servers"))[0]


def test_it_protects_and_lifts_the_protection(chief, server):
    client = browser(chief)
    assert shown_messages(act(client, [server], "protect_servers")) == ["web-01 is protected."]
    assert Server.objects.get().protected
    assert "is protected from deletion" in shown_messages(act(client, [server], "delete_servers", confirmed="yes"))[0]
    assert shown_messages(act(client, [server], "unprotect_servers")) == ["web-01 is no longer protected."]
    assert not Server.objects.get().protected


def test_its_form_changes_protection_and_expiry_and_nothing_else(chief, server):
    given = {"protected": "on", "expires_at": "2999-01-01T12:00", "hostname": "other"}
    answer = browser(chief).post(page(server), given)
    assert answer.status_code == 302
    server.refresh_from_db()
    assert (server.protected, str(server.expires_at), server.hostname) == (True, "2999-01-01 12:00:00+00:00", "web-01")


def test_its_form_shows_what_the_service_refuses(chief, server):
    answer = browser(chief).post(page(server), {"expires_at": "2020-01-01T12:00"})
    assert "2020-01-01 12:00 UTC has passed" in answer.content.decode()
    assert Server.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"protected": True}, "stays, because it is protected"),
        ({}, "is deleted within a minute"),
        ({"expires_at": None}, ""),
    ],
)
def test_it_says_why_an_expired_server_is_still_there(facts, message, chief, account, workspace):
    server = a_server(account, workspace, **({"expires_at": "2020-01-01T00:00:00Z"} | facts))
    html = browser(chief).get(page(server)).content.decode()
    assert (message in html) if message else ("It has expired" not in html)


def test_it_names_what_keeps_an_expired_server(chief, server, monkeypatch):
    from apps.servers import registry

    Server.objects.update(expires_at="2020-01-01T00:00:00Z")
    monkeypatch.setattr(registry, "_occupants", [lambda server: ["docker"]])
    assert "stays: web-01 carries docker" in browser(chief).get(page(server)).content.decode()


@pytest.mark.parametrize(("picked", "names"), [("over", ["web-1"]), ("coming", ["web-2"]), ("none", ["web-3"])])
def test_it_filters_by_expiry(picked, names, chief, account, workspace):
    times = ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", None]
    for number, time in enumerate(times, 1):
        a_server(account, workspace, f"web-{number}", expires_at=time)
    shown = browser(chief).get(listing(Server), {"expiry": picked}).context["cl"].result_list
    assert [server.hostname for server in shown] == names


def test_it_needs_the_permission(server):
    client = browser(staff("reader", "server_read"))
    for action in ("start_servers", "stop_servers", "reboot_servers", "protect_servers"):
        act(client, [server], action, confirmed="yes")
    assert client.post(page(server), {"protected": "on"}).status_code == 403
    html = client.get(page(server)).content.decode()
    assert "Reboot" not in html
    assert not Operation.objects.exists()
    assert not Server.objects.get().protected


def test_no_incomplete_form_adds_and_no_form_deletes_a_server(chief, server):
    client = browser(chief)
    delete = page(server).replace("change", "delete")
    assert client.post(listing(Server) + "add/", {"hostname": "x"}).status_code == 200
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert "deletelink" not in client.get(page(server)).content.decode()
    assert Server.objects.get() == server


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({"status": "running"}, {"Stop", "Reboot"}),
        ({"status": "stopped"}, {"Start"}),
        ({"status": "running", "drift": "stopped"}, {"Start", "Stop", "Reboot"}),
        ({"status": "stopped", "drift": "started"}, {"Start", "Stop"}),
        ({"status": "failed"}, set()),
    ],
)
def test_it_offers_what_makes_a_difference(chief, account, workspace, facts, offered):
    server = a_server(account, workspace, **facts)
    labels = {button.label.rstrip("…") for button in browser(chief).get(page(server)).context["buttons"]}
    assert labels & {"Start", "Stop", "Reboot"} == offered
