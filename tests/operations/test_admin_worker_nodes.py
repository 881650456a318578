"""Worker nodes in the admin."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.operations.models import WorkerNode
from apps.operations.queue import leases
from apps.operations.worker import nodes
from tests.console import a_server, an_operation, browser, listing, page, seeded, staff


@pytest.fixture
def viv(db):
    return browser(seeded("viv", "viewer"))


@pytest.fixture
def node(db):
    nodes.register_heartbeat("node-1", workers=4)
    return WorkerNode.objects.get()


def lost(name):
    long_ago = timezone.now() - timedelta(minutes=5)
    return WorkerNode.objects.create(name=name, workers=2, seen_at=long_ago, version="0.9.0")


def cells(client):
    """Return the texts of each node's row, by column."""
    answer = client.get(listing(WorkerNode))
    pages = answer.context["cl"].model_admin
    rows = answer.context["cl"].result_list
    return {row.name: {name: str(getattr(pages, name)(row)) for name in ("state_badge", "busy", "now")} for row in rows}


def held_by(name, workspace, server):
    an_operation(
        workspace, target=server.target, due_at=timezone.now() - timedelta(seconds=1), params={"server": server.pk}
    )
    [lease] = leases.claim(owner=name, max_count=1)
    return lease


def test_the_list_tells_which_live_and_what_each_does_now(viv, node, account, workspace):
    lost("node-2")
    held_by("node-1", workspace, a_server(account, workspace, "web-01"))
    an_operation(workspace, kind="server.stop")  # waits, in nobody's hands
    shown = cells(viv)
    assert (shown["node-1"]["busy"], shown["node-2"]["busy"]) == ("1 of 4", "0 of 2")
    assert ">working<" in shown["node-1"]["state_badge"] and ">lost<" in shown["node-2"]["state_badge"]
    assert ">Create web-01</a>" in shown["node-1"]["now"] and shown["node-2"]["now"] == "-"


def test_a_drain_shows_on_the_list_the_page_and_the_dashboard(viv, node):
    assert "drained" not in viv.get("/admin/").content.decode()
    nodes.drain(reason="New kernel")
    assert ">draining<" in cells(viv)["node-1"]["state_badge"]
    html = viv.get(page(node)).content.decode()
    assert "New kernel. No step is begun on any node" in html and "<code>manage.py drain --off</code>" in html
    assert "drained: no work is begun" in viv.get("/admin/").content.decode()


def test_its_page_shows_what_it_has_in_hand_and_what_its_loss_means(viv, node, account, workspace):
    held_by("node-1", workspace, a_server(account, workspace, "web-01"))
    html = viv.get(page(node)).content.decode()
    assert ">Create web-01</a>" in html and "It has no heartbeat any more" not in html
    html = viv.get(page(lost("node-2"))).content.decode()
    assert "It has no heartbeat any more" in html and "Nothing at the moment." in html


def test_the_workers_of_the_dashboard_lead_to_the_list(viv, node):
    html = viv.get("/admin/").content.decode()
    assert f'href="{listing(WorkerNode)}"><span class="c-tile-label">Workers</span>' in html
    assert html.count(f'href="{listing(WorkerNode)}"') >= 2  # in the navigation, too


def test_it_needs_the_permission_to_read_operations(node):
    client = browser(staff("reader", "server_read"))
    for address in (listing(WorkerNode), page(node)):
        assert client.get(address).status_code == 403
    assert "Worker nodes" not in client.get("/admin/").content.decode()


def test_the_list_asks_as_many_queries_for_many_nodes_as_for_one(viv, node, account, workspace):
    costs = []
    for numbers in (range(1), range(1, 9)):
        for number in numbers:
            nodes.register_heartbeat(f"more-{number}", workers=4)
            held_by(f"more-{number}", workspace, a_server(account, workspace, f"web-{number:02}"))
        viv.get(listing(WorkerNode))
        with CaptureQueriesContext(connection) as captured:
            assert viv.get(listing(WorkerNode)).status_code == 200
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 11, captured.captured_queries
