"""Cancelling from the admin site."""

import pytest

from apps.operations.models import Operation
from tests.console import a_server, act, an_operation, browser, page, said, seeded, staff


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def test_it_cancels_what_is_selected_and_tells_what_could_not_be(chief, account, workspace):
    server = a_server(account, workspace, status="pending")
    waiting = an_operation(workspace, params={"server": server.pk}, target=server.target)
    ended = an_operation(workspace, status="completed")
    answer = act(browser(chief), [waiting, ended], "cancel_selected")
    waiting.refresh_from_db()
    ended.refresh_from_db()
    assert (waiting.status, ended.status) == ("cancelled", "completed")
    told = said(answer)
    assert len(told) == 2
    assert any(str(waiting.pk) in text and "cancelled" in text for text in told)
    assert any(f"Operation {ended.pk} has ended as completed and cannot be cancelled." in text for text in told)


def test_it_says_so_when_the_worker_has_not_stopped_yet(chief, workspace, settings):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 0}
    held = an_operation(workspace, status="running", lease_owner="worker-1")
    assert "told to stop" in said(act(browser(chief), [held], "cancel_selected"))[0]
    held.refresh_from_db()
    assert (held.status, bool(held.cancel_asked_at)) == ("running", True)


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
    monkeypatch.setattr("apps.system.admin.MOST_AT_ONCE", 1)
    rows = [an_operation(workspace), an_operation(workspace)]
    assert "at most 1" in said(act(browser(chief), rows, "cancel_selected"))[0]
    assert not Operation.objects.filter(status="cancelled").exists()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"note": "machine-7 is starting"}, "at the latest: machine-7 is starting"),
        ({"lease_owner": "worker-1"}, "At work on it: worker worker-1."),
        ({"due_at": "2025-10-06T12:00:00Z"}, "No worker is running; start one"),
        ({"tries": 3}, "3 failed tries"),
    ],
)
def test_it_explains_every_wait(chief, workspace, facts, text):
    assert text in browser(chief).get(page(an_operation(workspace, **facts))).content.decode()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"note": "machine-7 is starting"}, "machine-7 is starting. Next try at"),
        ({"lease_owner": "worker-1"}, "At work in worker-1; its lease runs until"),
        ({"due_at": "2025-10-06T12:00:00Z"}, "Due since 2025-10-06 12:00:00 UTC; waits for a free worker."),
    ],
)
def test_it_explains_waits_in_the_list_too(chief, workspace, facts, text):
    an_operation(workspace, **facts)
    assert text in browser(chief).get("/admin/operations/operation/").content.decode()
