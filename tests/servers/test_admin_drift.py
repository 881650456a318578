"""Drift and orphans in the admin site."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.models import Orphan, Server
from tests.console import a_server, act, browser, listing, page, seeded, shown_messages, staff


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def orphan(account):
    return Orphan.objects.create(account=account, ref="machine-9", server_id="srv-lost", hostname="stray-01")


def test_it_shows_drift_and_offers_what_can_be_done(chief, account, workspace):
    right = a_server(account, workspace)
    gone = a_server(account, workspace, "web-02", drift="gone", drift_note="Its machine m is gone.", status="failed")
    client = browser(chief)
    assert "badge-gone" in client.get(listing(Server), {"drift": "gone"}).content.decode()
    html = client.get(page(gone)).content.decode()
    assert "Its machine m is gone." in html
    assert "recreate_servers" in html and "forget_servers" in html
    assert 'value="adopt_servers"' not in html
    assert 'value="recreate_servers"' not in client.get(page(right)).content.decode()


@pytest.mark.parametrize("verb", ["adopt", "recreate", "forget"])
def test_it_queues_repairs_and_names_what_was_refused(verb, chief, account, workspace):
    gone = a_server(account, workspace, "web-02", drift="gone", status="failed")
    right = a_server(account, workspace, protected=True)
    messages = " ".join(shown_messages(act(browser(chief), [gone, right], f"{verb}_servers")))
    assert messages.count("Queued: ") == 1 and "web-02" in messages.partition("Queued: ")[2]
    assert "web-01:" in messages
    operation = Operation.objects.get()
    assert (operation.kind, operation.actor, operation.target) == (f"server.{verb}", chief, gone.target)


def test_it_queues_one_comparison_an_account(chief, account, workspace):
    servers = [a_server(account, workspace), a_server(account, workspace, "web-02")]
    client = browser(chief)
    assert "Compare the machines of UpCloud" in shown_messages(act(client, servers, "compare_servers"))[0]
    assert "with its servers” is under way" in shown_messages(act(client, [account], "compare"))[0]
    assert Operation.objects.get().target == f"compare:{account.pk}"
    assert 'value="compare"' in client.get(page(account)).content.decode()


def test_it_shows_when_an_account_was_compared(chief, account):
    CloudAccount.objects.update(compared_at="2026-01-02T03:04:05Z")
    assert "2026-01-02 03:04:05 UTC" in browser(chief).get(page(account)).content.decode()


def test_it_adopts_an_orphan_into_the_workspace_that_is_chosen(chief, orphan, workspace):
    client = browser(chief)
    html = act(client, [orphan], "adopt_orphans").content.decode()
    assert "<option>production</option>" in html
    assert not Operation.objects.exists()
    act(client, [orphan], "adopt_orphans", confirmed="yes", workspace="production")
    operation = Operation.objects.get()
    assert (operation.kind, operation.workspace, operation.actor) == ("orphan.adopt", workspace, chief)


def test_it_asks_before_it_deletes_an_orphan(chief, orphan):
    client = browser(chief)
    assert client.get(page(orphan)).status_code == client.get(listing(Orphan)).status_code == 200
    assert "1 machine will be deleted" in act(client, [orphan], "delete_orphans").content.decode()
    assert not Operation.objects.exists()
    act(client, [orphan], "delete_orphans", confirmed="yes")
    assert Operation.objects.get().kind == "orphan.delete"


def test_it_needs_the_permissions(account, workspace, orphan):
    server = a_server(account, workspace, drift="gone", status="failed")
    client = browser(staff("reader", "server_read"))
    for verb in ("adopt", "recreate", "forget", "compare"):
        act(client, [server], f"{verb}_servers")
    for verb in ("adopt", "delete"):
        act(client, [orphan], f"{verb}_orphans", confirmed="yes", workspace="production")
    assert not Operation.objects.exists()
