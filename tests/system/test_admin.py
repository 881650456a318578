"""The admin site as a whole: what opens, what is refused, who sees what, and what it costs."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.operations.models import Event, Operation, WorkerNode
from apps.providers.models import CloudAccount, Plan, Zone
from apps.servers.models import Orphan, Server
from apps.system.admin import BoundedPaginator, ReadOnlyAdmin
from apps.workspaces.models import Workspace
from provisioning import admin_urls  # noqa: F401 - registers the pages
from tests.console import a_server, an_operation, browser, listing, page, seeded, staff

OURS = [model for model, pages in admin.site._registry.items() if isinstance(pages, ReadOnlyAdmin)]
FORMS = {"providers.CloudAccount", "servers.Server", "taskservs.Taskserv", "workflows.Workflow", "workspaces.Workspace"}
FORMS |= {"workflows.Schedule", "workflows.FreezeWindow", "workflows.WorkflowDefinition"}
LOCKED = [model for model in OURS if model._meta.label not in FORMS]
OPEN = [User, Group]


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


# The pages of higher apps are opened by their own tests.
STAGED = [model for model in OURS + OPEN if model._meta.app_label not in ("taskservs", "workflows")]


@pytest.fixture
def stage(account, workspace, alice):
    """At least one row of every kind of the lower apps."""
    server = a_server(account, workspace)
    Orphan.objects.create(account=account, ref="machine-9", server_id="srv-lost", hostname="stray-01")
    WorkerNode.objects.create(name="node-1", workers=2)
    parent = an_operation(workspace, actor=alice, target=server.target, params={"password": "hunter2"})
    an_operation(workspace, parent=parent, status="failed", error="Refused.", error_code="PROVIDER_AUTH")


def some(model):
    return model.objects.get_queryset()[0]


@pytest.mark.parametrize("model", STAGED, ids=lambda model: model.__name__)
def test_it_opens_every_list_and_page_for_the_admin_role(chief, stage, model):
    client = browser(chief)
    assert not chief.is_superuser
    assert client.get(listing(model)).status_code == 200
    assert client.get(listing(model), {"q": "x"}).status_code == 200
    row = some(model)
    assert client.get(page(row)).status_code == 200
    assert client.get(page(row).replace("change", "history")).status_code == 200


def test_it_shows_an_operation_whole(chief, stage):
    html = browser(chief).get(page(Operation.objects.get(parent=None))).content.decode()
    texts = ("Create a server", "badge-pending", "Looks again", "Started.", "machine-7", "web-01", "Refused.")
    for text in texts:
        assert text in html, text
    assert "hunter2" not in html
    failed = browser(chief).get(page(Operation.objects.get(status="failed"))).content.decode()
    assert "Refused." in failed and "PROVIDER_AUTH: " not in failed


def test_it_shows_the_end_of_a_long_log_newest_last(chief, stage):
    operation = Operation.objects.get(parent=None)
    Event.objects.bulk_create(Event(operation=operation, seq=seq, message=f"line-{seq}.") for seq in range(2, 703))
    html = browser(chief).get(page(operation)).content.decode()
    assert "the last 500 of 702 lines" in html
    assert "line-202." not in html
    assert html.index("line-203.") < html.index("line-702.")
    client, address = browser(chief), page(operation).replace("change/", "")
    assert "line-202." in client.get(f"{address}log", {"before": "203"}).content.decode()
    assert client.get(f"{address}log", {"q": "LINE-70", "level": "warning"}).content == b""
    found = client.get(f"{address}log", {"q": "LINE-70", "level": "info"}).content.decode()
    assert ("line-70." in found, "line-71." in found, "line-700." in found) == (True, False, True)
    text = b"".join(client.get(f"{address}log.txt")).decode()
    assert text.count("\n") == 702 and " INFO line-700." in text


def test_it_links_a_server_and_its_operations_and_says_that_it_is_emulated(chief, stage):
    server = Server.objects.get()
    html = browser(chief).get(page(server)).content.decode()
    assert page(Operation.objects.get(parent=None)) in html
    assert "emulated: nothing real stands behind it" in html
    assert "emulated: nothing real stands behind it" in browser(chief).get(listing(Server)).content.decode()
    assert page(server) in browser(chief).get(listing(Operation)).content.decode()


def test_it_writes_times_in_utc(chief, stage):
    Server.objects.update(created_at="2025-10-06T12:00:00Z")
    assert "2025-10-06 12:00:00 UTC" in browser(chief).get(listing(Server)).content.decode()


def test_it_cuts_enormous_json(chief, stage):
    Operation.objects.update(params={"rows": ["x" * 100] * 3000})
    html = browser(chief).get(page(Operation.objects.first())).content.decode()
    assert "and 2,900 more" in html
    assert len(html) < 200_000


# ── read-only ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("model", LOCKED, ids=lambda model: model.__name__)
def test_it_refuses_every_form(chief, stage, model, superuser):
    User.objects.filter(pk=chief.pk).update(is_superuser=superuser)
    client = browser(chief)
    before = list(model.objects.values())
    assert client.get(listing(model) + "add/").status_code == 403
    assert client.post(listing(model) + "add/", {"name": "x"}).status_code == 403
    if row := model.objects.first():
        assert client.post(page(row), {"status": "failed", "name": "x", "hostname": "x"}).status_code == 403
        delete = page(row).replace("change", "delete")
        assert client.get(delete).status_code == 403
        assert client.post(delete, {"post": "yes"}).status_code == 403
        html = client.get(page(row)).content.decode()
        assert 'name="_save"' not in html
        assert "deletelink" not in html
    client.post(
        listing(model), {"action": "delete_selected", "_selected_action": [row.pk] if row else [], "post": "yes"}
    )
    client.post(listing(model), {"_save": "Save", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"})
    assert list(model.objects.values()) == before


@pytest.mark.parametrize("model", [CloudAccount, Workspace], ids=lambda model: model.__name__)
def test_it_never_deletes_what_a_form_may_make(chief, stage, model):
    delete = page(model.objects.first()).replace("change", "delete")
    assert browser(chief).post(delete, {"post": "yes"}).status_code == 403
    assert model.objects.exists()


# ── who sees what ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_sends_those_who_may_do_nothing_to_the_login(stage, charlie):
    for address in (reverse("admin:index"), listing(Operation), page(Server.objects.get())):
        answer = browser(charlie).get(address)
        assert (answer.status_code, answer.url.split("?")[0]) == (302, "/admin/login/")


def models_on_the_index(client):
    return [model["object_name"] for app in client.get("/admin/").context["app_list"] for model in app["models"]]


def test_it_shows_a_reader_of_servers_only_servers(stage):
    client = browser(staff("reader", "server_read"))
    assert models_on_the_index(client) == ["Orphan", "Server", "Plan", "Zone"]
    assert client.get(listing(Server)).status_code == 200
    html = client.get(page(Server.objects.get())).content.decode()
    assert "Delete server" not in html
    assert "Asked by" not in html
    assert "Nothing is installed here" not in html
    for model in {*OURS, *OPEN} - {Server, Orphan, Plan, Zone}:
        assert client.get(listing(model)).status_code == 403, model
    for model in (Operation, CloudAccount, Workspace):
        assert client.get(page(model.objects.first())).status_code == 403, model


def test_it_shows_the_admin_role_our_pages_in_order_and_not_those_of_libraries(chief):
    index = models_on_the_index(browser(chief))
    assert index[:4] == ["Operation", "WorkerNode", "Orphan", "Server"]
    assert index[-2:] == ["User", "Group"]
    assert {"CloudAccount", "Plan", "Zone", "Workspace"} < set(index)
    apps = {app["app_label"] for app in browser(chief).get("/admin/").context["app_list"]}
    assert not {"django_q", "axes"} & apps


def test_it_redirects_the_address_without_a_slash(client, db):
    assert client.get("/admin").status_code in (301, 302)


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────
def queries(client, address):
    client.get(address)  # content types are read once a process
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def more(account, workspace, actor, number, parent):
    for index in range(number):
        server = a_server(account, workspace, f"more-{parent.pk}-{Server.objects.count()}-{index}")
        an_operation(workspace, actor=actor, target=server.target, status="completed", parent=parent)
        Event.objects.create(operation=parent, seq=100 + Event.objects.count(), message="More.")


@pytest.mark.parametrize("model", [Operation, Server])
def test_it_asks_as_many_queries_for_50_rows_as_for_5(chief, stage, account, workspace, alice, model):
    client, parent = browser(chief), Operation.objects.get(parent=None)
    costs = []
    for number in (5, 45):
        more(account, workspace, alice, number, parent)
        costs.append(
            (
                queries(client, listing(model)),
                queries(client, page(parent)),
                queries(client, page(Server.objects.first())),
            )
        )
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 12


def test_it_counts_rows_up_to_a_bound_only(chief, stage, monkeypatch):
    monkeypatch.setattr("apps.system.admin.paginator.MAX_COUNTED", 1)
    answer = browser(chief).get(listing(Operation))
    assert "more than 1" in answer.content.decode()
    counts = BoundedPaginator(Operation.objects.all(), 50)
    assert (counts.count, counts.is_bounded) == (1, True)


@pytest.mark.parametrize(
    "query", ["?page=abc", "?p=999", "?status=odd", "?workspace__id__exact=abc", "?o=99", "?parent=no-uuid", "?q=%00"]
)
def test_it_survives_odd_queries(chief, stage, query):
    assert browser(chief).get(listing(Operation) + query, follow=True).status_code == 200


def test_it_finds_operations_by_id_and_target(chief, stage):
    client, wanted = browser(chief), Operation.objects.get(parent=None)
    for term in (str(wanted.pk), str(wanted.pk)[:18], wanted.target, wanted.target[:12], wanted.target[7:19]):
        found = client.get(listing(Operation), {"q": term}).context["cl"].result_list
        assert list(found) == [wanted]


def test_it_leads_on_to_the_rows_that_are_not_counted(chief, stage, account, workspace, alice, monkeypatch):
    parent = Operation.objects.get(parent=None)
    more(account, workspace, alice, 60, parent)
    monkeypatch.setattr("apps.system.admin.paginator.MAX_COUNTED", 25)
    monkeypatch.setattr("apps.system.admin.paginator.DEEP", 15)
    monkeypatch.setattr("apps.system.admin.pages.ReadOnlyAdmin.list_per_page", 10)
    client, found, address = browser(chief), [], listing(Operation) + "?kind=server.create"
    while address:
        answer = client.get(address)
        shown = answer.context["cl"]
        for number in range(1, shown.paginator.num_pages + 1):
            page_address = listing(Operation) + shown.get_query_string({"p": number})
            numbered = client.get(page_address)
            found += [row.pk for row in numbered.context["cl"].result_list]
        further = numbered.context["cl"].further
        assert ("further rows" in numbered.content.decode()) == bool(further)
        address = listing(Operation) + further if further else ""
    expected = Operation.objects.filter(kind="server.create").order_by("-created_at", "-id")
    assert found == [row.pk for row in expected]
    assert len(found) > 50


def test_a_place_that_the_list_did_not_give_leads_to_the_whole_list(chief, stage):
    assert browser(chief).get(listing(Operation) + "?after=nowhere", follow=True).status_code == 200


@pytest.mark.parametrize("model", [*OURS, User, Group], ids=str)
def test_a_search_of_many_words_is_answered(model, chief):
    words = "+".join(f"word{number}" for number in range(1000))
    assert browser(chief).get(f"{listing(model)}?q={words}").status_code == 200
