"""Cancelling from the admin site."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.html import strip_tags

from apps.operations.models import DrainMode, Event, Operation
from apps.servers.models import DeletedServer, Server
from apps.servers.services.delete import forget
from apps.taskservs.models import Installation, Taskserv
from tests.console import a_server, act, an_operation, browser, listing, page, seeded, shown_messages, staff


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def test_it_cancels_what_is_selected_and_names_what_could_not_be(chief, account, workspace):
    server = a_server(account, workspace, status="pending")
    waiting = an_operation(workspace, params={"server": server.pk}, target=server.target)
    ended = an_operation(workspace, status="completed")
    answer = act(browser(chief), [waiting, ended], "cancel_selected")
    waiting.refresh_from_db()
    ended.refresh_from_db()
    assert (waiting.status, ended.status) == ("cancelled", "completed")
    messages = shown_messages(answer)
    assert len(messages) == 2
    assert any(str(waiting.pk) in text and "cancelled" in text for text in messages)
    assert any("“Create a server” has ended as completed and cannot be cancelled." in text for text in messages)


def test_it_says_so_when_the_worker_has_not_stopped_yet(chief, workspace, settings):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 0}
    held = an_operation(workspace, status="running", lease_owner="worker-1")
    assert "cancel requested" in shown_messages(act(browser(chief), [held], "cancel_selected"))[0]
    held.refresh_from_db()
    assert (held.status, bool(held.cancel_requested_at)) == ("running", True)


def test_it_offers_the_same_on_the_operation_s_own_page(chief, account, workspace):
    server = a_server(account, workspace, status="pending")
    waiting = an_operation(workspace, params={"server": server.pk}, target=server.target)
    client = browser(chief)
    assert "Cancel operation" in client.get(page(waiting)).content.decode()
    answer = act(client, [waiting], "cancel_selected", page=waiting.pk)
    assert answer.request["PATH_INFO"] == page(waiting)
    assert Operation.objects.get(pk=waiting.pk).status == "cancelled"
    ended = an_operation(workspace, status="completed")
    assert "Cancel operation" not in client.get(page(ended)).content.decode()


def test_it_needs_the_permission(workspace):
    client = browser(staff("reader", "operation_read"))
    waiting = an_operation(workspace)
    act(client, [waiting], "cancel_selected")
    waiting.refresh_from_db()
    assert waiting.status == "pending"
    assert "Cancel operation" not in client.get(page(waiting)).content.decode()


def test_it_does_nothing_when_too_many_are_selected(chief, workspace, monkeypatch):
    monkeypatch.setattr("apps.system.admin.pages.MAX_AT_ONCE", 1)
    rows = [an_operation(workspace), an_operation(workspace)]
    assert "at most 1" in shown_messages(act(browser(chief), rows, "cancel_selected"))[0]
    assert not Operation.objects.filter(status="cancelled").exists()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"status_message": "machine-7 is starting"}, "machine-7 is starting. Looks again <time"),
        ({"status_message": "No answer. Next attempt in 9 s.", "attempts": 1}, "No answer. Next attempt <time"),
        ({"status_message": "waiting until 2999-01-31T22:00:00Z"}, "Waiting until 2999-01-31 22:00 UTC (in 97"),
        ({"lease_owner": "worker-1"}, "At work on it: worker worker-1."),
        ({"due_at": "2025-10-06T12:00:00Z"}, "No worker is running; start one"),
        ({"attempts": 3}, "3 failed attempts"),
    ],
)
def test_it_explains_every_wait(chief, workspace, facts, text):
    assert text in browser(chief).get(page(an_operation(workspace, **facts))).content.decode()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"status_message": "machine-7 is starting"}, "machine-7 is starting."),
        ({"status_message": "web-01 hangs", "attempts": 1}, "web-01 hangs. Next attempt in 59 minutes."),
        ({}, "Waiting. Looks again in 59 minutes."),
        ({"lease_owner": "node-1:2575:1f"}, "A worker on node-1 is at work."),
        ({"due_at": "2025-10-06T12:00:00Z"}, "Due since 1 year ago; waits for a free worker."),
    ],
)
def test_it_explains_waits_in_the_list_too(chief, workspace, facts, text):
    an_operation(workspace, **facts)
    html = browser(chief).get("/admin/operations/operation/").content.decode()
    assert text in strip_tags(html) and "2025-10-06T12:00:00Z" not in strip_tags(html)


def test_it_tells_since_when_all_is_drained(chief, workspace):
    due = an_operation(workspace, due_at="2025-10-06T12:00:00Z")
    DrainMode.objects.create(since="2025-10-06T11:00:00Z", reason="New kernel.")
    html = strip_tags(browser(chief).get(page(due)).content.decode())
    assert "No work is begun: manage.py drain was run 1 year ago: New kernel." in html


def test_lines_that_come_later_are_shown_as_the_page_shows_them(chief, account, workspace):
    server = a_server(account, workspace, "shop-07")
    operation = an_operation(workspace)
    for seq in (2, 3, 4):
        Event.objects.create(
            operation=operation,
            seq=seq,
            message=f"{server.pk} is up, until 2999-01-31T22:00:00Z",
            data={"server": server.pk, "level": seq},
        )
    client = browser(chief)
    whole = client.get(page(operation)).content.decode()
    later = client.get(f"/admin/operations/operation/{operation.pk}/log", {"after": "2"})
    html = later.content.decode()
    assert html in whole and later["X-More-Lines"] == "no"
    assert [int(number) for number in re.findall(r'data-seq="(\d+)"', html)] == [3, 4]
    assert "shop-07 is up, until 2999-01-31 22:00 UTC<" in html and f'<a href="{page(server)}">shop-07</a>' in html


def test_many_lines_that_come_later_come_in_order_and_in_parts(chief, workspace, monkeypatch):
    monkeypatch.setattr("apps.operations.admin.log.MORE_LINES", 2)
    operation = an_operation(workspace)
    Event.objects.bulk_create(Event(operation=operation, seq=seq, message="More") for seq in (2, 3, 4))
    answer = browser(chief).get(f"/admin/operations/operation/{operation.pk}/log", {"after": "1"})
    assert re.findall(r'data-seq="(\d+)"', answer.content.decode()) == ["2", "3"]
    assert answer["X-More-Lines"] == "yes"


@pytest.mark.parametrize("term", ["shop", "SHOP-07", "192.0.2.9", "blue", "srv-shop"])
def test_it_finds_operations_by_what_they_change(chief, account, workspace, term):
    server = a_server(account, workspace, "shop-07", id="srv-shop7", ip_address="192.0.2.9", tags=["blue", "web"])
    taskserv = Taskserv.objects.create(workspace=workspace, name="redis", version="7", status="running")
    Installation.objects.create(taskserv=taskserv, server=server)
    mine = {an_operation(workspace, target=target).pk for target in (server.target, taskserv.target)}
    other = a_server(account, workspace, "web-01", ip_address="192.0.2.10", tags=["blueish"])
    an_operation(workspace, target=other.target)
    found = browser(chief).get(listing(Operation), {"q": term}).context["cl"].result_list
    assert {row.pk for row in found} == mine


def test_it_shows_the_clients_address_to_the_author_and_to_those_who_may_read_users(chief, api, alice, body):
    answer = api(alice).post("/v1/servers/create", body, REMOTE_ADDR="192.0.2.77")
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert operation.requested_from == "192.0.2.77"
    for person, is_shown in ((chief, True), (alice, True), (seeded("viv", "viewer"), False)):
        assert ("192.0.2.77" in browser(person).get(page(operation)).content.decode()) is is_shown, person
    assert an_operation(operation.workspace, status="completed").requested_from is None


def test_it_names_servers_and_taskservs_in_values_and_results(chief, account, workspace):
    server = a_server(account, workspace, "shop-07")
    values = {"server": server.pk, "servers": [server.pk, "srv-gone"], "note": f"not {server.pk} itself"}
    operation = an_operation(
        workspace, status="completed", params=values, result={"server_id": server.pk, "html": "<b>"}
    )
    html = browser(chief).get(page(operation)).content.decode()
    assert html.count(f'<a href="{page(server)}">shop-07</a>') == 3
    assert f"not {server.pk} itself" in html and "srv-gone" in html and "&lt;b&gt;" in html
    reader = browser(staff("reader", "operation_read")).get(page(operation)).content.decode()
    assert "shop-07" in reader and page(server) not in reader


def test_it_says_errors_waits_and_lines_of_the_log_in_names(chief, account, workspace):
    server = a_server(account, workspace, "shop-07")
    holder = an_operation(workspace, kind="server.stop", target=server.target)
    said_ = f"{server.target} is held by operation {holder.pk}; wait for it to end or cancel it."
    failed = an_operation(workspace, status="failed", error=said_, error_code="TARGET_BUSY")
    Event.objects.create(operation=failed, seq=2, message=f"{server.pk} is next.", data={"server": server.pk})
    waiting = an_operation(workspace, status_message=said_)
    for address in (page(failed), page(waiting), listing(Operation)):
        html = browser(chief).get(address).content.decode()
        assert "“Stop shop-07” is under way; wait for it to end" in html, address
        assert "TARGET_BUSY: " not in html
    log = browser(chief).get(f"{page(failed).removesuffix('change/')}log").content.decode()
    assert "shop-07 is next." in log and f'<a href="{page(server)}">shop-07</a>' in log


def test_a_refusal_names_what_is_in_the_way(account, workspace):
    server, olga = a_server(account, workspace, "shop-07", status="stopped"), browser(seeded("olga", "operator"))
    an_operation(workspace, kind="server.stop", target=server.target)
    messages = shown_messages(act(olga, [server], "start_servers"))
    assert messages == ["shop-07: “Stop shop-07” is under way; wait for it to end or cancel it."]


def test_operations_of_a_deleted_server_are_found_and_named_by_its_hostname(chief, account, workspace):
    server = a_server(account, workspace, "Old-77")
    ended = {"status": "completed", "target": server.target}
    mine = {an_operation(workspace, kind=f"server.{kind}", **ended).pk for kind in ("stop", "delete")}
    failed = an_operation(workspace, status="failed", error=f"{server.pk} is gone.", result={"server_id": server.pk})
    forget(Server.objects.filter(pk=server.pk))
    client = browser(chief)
    answer = client.get(listing(Operation), {"q": "old-7"})
    assert {row.pk for row in answer.context["cl"].result_list} == mine
    html = answer.content.decode()
    assert "Stop Old-77" in html and "Delete Old-77" in html
    for key in [*mine, failed.pk]:
        html = client.get(page(Operation.objects.get(pk=key))).content.decode()
        assert "Old-77" in html and page(server) not in html
    DeletedServer.objects.update(deleted_at=timezone.now() - timedelta(days=91))
    forget(Server.objects.filter(pk=a_server(account, workspace, "old-78").pk))
    assert [row.hostname for row in DeletedServer.objects.all()] == ["old-78"]
