"""The dashboard: its figures, what they lead to, who sees what, and what it costs."""

import re
from datetime import timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.operations.models import Operation, WorkerNode
from apps.providers.models import CloudAccount
from apps.servers.models import Orphan, Server
from apps.taskservs.models import Taskserv
from apps.workflows.definition import APPROVE, RUN
from apps.workflows.models import Step, Workflow
from apps.workspaces.models import Workspace
from provisioning.dashboard.fleet import FEW, group_counts, seconds_kept
from provisioning.dashboard.outcomes import HourlyOutcomes, hourly
from tests.console import a_server, an_operation, browser, seeded, staff


@pytest.fixture(autouse=True)
def no_counts_of_other_tests():
    hourly.forget()
    group_counts.forget()


@pytest.fixture
def fleet(account, workspace, alice):
    for number in range(3):
        a_server(account, workspace, f"web-{number}")
    a_server(account, workspace, "db-01", status="failed", drift="gone")
    a_server(account, workspace, "tmp-01", expires_at=timezone.now() + timedelta(days=2))
    Orphan.objects.create(account=account, ref="machine-9", server_id="srv-lost", hostname="stray-01")
    account.problem = "The password is wrong."
    account.save()
    facts = {"actor": alice, "params": {"hostname": "web-0"}}
    an_operation(workspace, status="failed", error="No capacity in de-fra1.", target="server:srv-a", **facts)
    an_operation(workspace, status="completed", target="server:srv-b", **facts)
    an_operation(workspace, status="running", status_message="web-9 boots", params={"hostname": "web-9"})
    WorkerNode.objects.create(name="node-1", workers=4)


def figures(html):
    return dict(re.findall(r'c-tile-label">([^<]+)</span><strong[^>]*>([^<]+)<', html))


def test_it_counts_and_names_what_there_is(fleet, db):
    html = browser(seeded("chief", "admin")).get("/admin/").content.decode()
    shown = figures(html)
    assert (shown["Servers"], shown["Running now"], shown["Failed in 24 h"], shown["Workers"]) == ("5", "1", "1", "4")
    assert shown["Cost per month"] == "112.00 EUR"  # db-01 has no machine
    for text in ("No capacity in de-fra1.", ">Create web-0</a>", ">Create web-9</a>", "web-9 boots"):
        assert text in html, text
    for text in (
        "server failed",
        "server drifted: gone",
        "server expires within 7 days",
        "orphaned machine",
        "The password is wrong.",
    ):
        assert text in html, text


def test_each_figure_leads_to_its_list(fleet, workspace):
    client = browser(seeded("chief", "admin"))
    html = client.get("/admin/").content.decode().partition('id="c-dashboard"')[2]
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/admin/[^"]*)"', html)}
    assert len(links) > 8
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
    failed = client.get("/admin/servers/server/?status__exact=failed").context["cl"].result_list
    assert [server.hostname for server in failed] == ["db-01"]
    soon = client.get("/admin/servers/server/?expiry=week").context["cl"].result_list
    assert [server.hostname for server in soon] == ["tmp-01"]
    today = timezone.now().date()
    day = {"created_at_from": str(today), "created_at_to": str(today)}
    assert len(client.get("/admin/operations/operation/", day).context["cl"].result_list) == Operation.objects.count()
    before = {"created_at_to": str(today - timedelta(days=1))}
    assert len(client.get("/admin/operations/operation/", before).context["cl"].result_list) == 0
    running = next(link for link in links if "operation/?status__exact=running" in link)
    an_operation(workspace, status="running", parent=Operation.objects.get(status="running"))
    assert len(client.get(running).context["cl"].result_list) == 1  # steps of others are not counted
    failing = next(link for link in links if "operation/?status__exact=failed" in link)
    assert len(client.get(failing).context["cl"].result_list) == 1
    Operation.objects.filter(status="failed").update(created_at=timezone.now() - timedelta(days=3))
    assert not client.get(failing).context["cl"].result_list


def test_hours_in_which_nothing_changes_any_more_are_counted_once(workspace):
    now = timezone.now()
    present = now.replace(minute=0, second=0, microsecond=0)
    hours = [present - timedelta(hours=back) for back in range(5, -1, -1)]
    made = {"completed": 5, "failed": 5, "pending": 3, "cancelled": 0}
    for status, back in made.items():
        an_operation(workspace, status=status, created_at=present - timedelta(hours=back))
    outcomes = HourlyOutcomes()
    assert [sum(counts.values()) for counts in outcomes.of(hours)] == [2, 0, 0, 0, 0, 1]
    settled = set(outcomes.settled)
    assert {hours[0], hours[1], hours[3]} <= settled  # the last but one is, ten minutes into the hour
    assert not settled & {hours[2], hours[5]}
    Operation.objects.filter(status="pending").update(status="failed", due_at=None)
    an_operation(workspace, status="completed", created_at=now)
    assert outcomes.of(hours)[2] == {"completed": 0, "failed": 1, "cancelled": 0}
    assert outcomes.of(hours)[5] == {"completed": 1, "failed": 0, "cancelled": 1}
    outcomes.forget()
    assert outcomes.of(hours)[0] == {"completed": 1, "failed": 1, "cancelled": 0}


def test_it_counts_the_workflows_that_wait_for_an_approval(fleet, workspace):
    client = browser(seeded("chief", "admin"))
    assert "for an approval" not in client.get("/admin/").content.decode()
    for number in range(2):
        asked = an_operation(workspace, kind=RUN, status="running")
        workflow = Workflow.objects.create(
            operation=asked, type="servers_create", definition={"title": "Create", "steps": []}
        )
        waits = an_operation(workspace, kind=APPROVE, status="running" if number else "completed", parent=asked)
        Step.objects.create(workflow=workflow, name="ask", position=0, uses=APPROVE, status="running", operation=waits)
    with CaptureQueriesContext(connection) as captured:
        html = client.get("/admin/dashboard/").content.decode()
    assert len(captured) <= 12
    address, text = re.search(r'href="([^"]*waiting=approval)">(.*?)</a>', html).groups()
    assert text == "<b>1</b> workflow waits for an approval"
    assert [row.pk for row in client.get(address).context["cl"].result_list] == [workflow.pk]
    reader = browser(staff("watcher", "operation_read"))
    assert "for an approval" not in reader.get("/admin/dashboard/").content.decode()


def test_it_shows_only_what_the_user_may_read(fleet):
    html = browser(staff("reader", "server_read")).get("/admin/").content.decode()
    assert "Cost per month" in html and "Failed in 24 h" not in html and "No capacity" not in html
    html = browser(staff("watcher", "operation_read")).get("/admin/").content.decode()
    assert "Cost per month" not in html and "No capacity" in html and "orphaned" not in html


def test_it_takes_twelve_queries_with_everything_there_is_to_show(fleet, account, workspace, alice):
    for number, status in enumerate(("pending", "running", "failed", "completed", "cancelled")):
        place = Workspace.objects.create(name=f"place-{number}", path=f"/opt/workspaces/place-{number}")
        for kind in ("server.create", "server.delete", "taskserv.create", "workflow.run", "workflow.rollback"):
            name = f"of-{number}-{kind}".replace(".", "-")
            server = a_server(account, place, name, drift="resized", expires_at=timezone.now())
            target = Taskserv.objects.create(workspace=place, name="redis", version="7.0").target
            facts = {"params": {"server": server.pk}, "target": server.target}
            if not kind.startswith("server"):
                facts = {"params": {"workflow": "5f0f0000-0000-0000-0000-000000000000"}, "target": target}
            error = f"{server.target} is held by operation 5f0f0000-0000-0000-0000-00000000000{number}."
            row = an_operation(place, kind=kind, status=status, actor=alice, error=error, **facts)
            Operation.objects.filter(pk=row.pk).update(status_message=f"operation {row.pk} is at work on {target}")
            if kind == "workflow.run":
                a_workflow(row)
        CloudAccount.objects.create(provider="upcloud", name=f"no-{number}", problem="No.", enabled=True)
    an_operation(workspace, kind="orphan.delete", status="failed", target=Orphan.objects.get().target)
    client = browser(seeded("chief", "admin"))
    client.get("/admin/")
    hourly.forget()
    with CaptureQueriesContext(connection) as captured:
        html = client.get("/admin/dashboard/").content.decode()
    for text in ("for an approval", "drifted", "orphaned", "does not work", "Waiting longest", "expire within"):
        assert text in html, text
    assert len(captured) <= 12, "\n".join(query["sql"][:160] for query in captured)


def a_workflow(operation):
    """Make an operation a workflow, one that waits for an approval where it runs."""
    workflow = Workflow.objects.create(operation=operation, type="mine", definition={"title": "Create", "steps": []})
    waits = an_operation(operation.workspace, kind=APPROVE, status="running", parent=operation)
    Step.objects.create(workflow=workflow, name="ask", position=0, uses=APPROVE, status="running", operation=waits)
    return workflow


def test_it_costs_the_same_with_many_rows(fleet, account, workspace, alice):
    client, costs = browser(seeded("chief", "admin")), []
    for number in (1, 30):
        for index in range(number):
            server = a_server(account, workspace, f"more-{number}-{index}")
            an_operation(workspace, status="failed", target=server.target, params={"hostname": server.hostname})
            an_operation(workspace, status="running", target=server.target, params={"hostname": server.hostname})
        client.get("/admin/")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/admin/dashboard/").status_code == 200
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 12, "\n".join(query["sql"][:160] for query in captured)


def test_many_servers_are_counted_once_in_a_while(fleet, account, workspace):
    client = browser(seeded("chief", "admin"))
    of_servers = "FROM servers_server"

    def look():
        with CaptureQueriesContext(connection) as queries:
            html = client.get("/admin/").content.decode()
        return figures(html)["Servers"], sum(of_servers in query["sql"] for query in queries.captured_queries)

    assert [look(), look()] == [("5", 1), ("5", 1)]
    for number in range(FEW):
        a_server(account, workspace, f"many-{number}")
    total = Server.objects.count()
    assert look() == (str(total), 1)
    group_counts.until += 3600
    assert look() == (str(total), 0)
    group_counts.until = 0
    Server.objects.filter(hostname="web-0").delete()
    assert look() == (str(total - 1), 1)


def test_a_count_is_kept_the_longer_the_more_servers_there_are():
    assert [seconds_kept(number) for number in (0, FEW, 20_000, 10**6)] == [0, 0, 2, 5]


def test_it_leads_a_new_operator_to_the_first_server(db):
    assert "There is no server yet" in browser(seeded("olga", "operator")).get("/admin/").content.decode()
    assert "There is no server yet" not in browser(seeded("viv", "viewer")).get("/admin/").content.decode()
    assert not Server.objects.exists()


def test_the_console_s_styles_close_what_they_open():
    """A brace too many makes browsers drop the rule after it."""
    styles = Path(finders.find("system/console.css")).read_text()
    depths = list(accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in styles))
    assert min(depths) == 0 == depths[-1]
