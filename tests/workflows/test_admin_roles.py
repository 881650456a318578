"""The matrix of the admin site: each role opens the pages, and sees and takes the actions, that its permissions allow.

It walks the registry: a new page or action fails here until its permission is written down.
"""

import re

import pytest
from django.contrib import admin
from django.contrib.admin import helpers
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.operations.models import Operation, WorkerNode
from apps.providers.models import CloudAccount
from apps.servers.models import Orphan, Server
from apps.system.admin import ReadOnlyAdmin
from apps.workflows.models import FreezeWindow, Schedule, Step, Workflow, WorkflowDefinition
from provisioning import admin_urls  # noqa: F401 - registers the pages
from tests.accounts.test_roles import EXPECTED
from tests.conftest import PASSWORD
from tests.console import browser, listing, page, seeded, staff

ADMIN_ONLY = {"view_user", "view_group", "change_user", "account_change", "workspace_create"}
READS = {
    "operations.Operation": "operation_read",
    "operations.WorkerNode": "operation_read",
    "servers.Server": "server_read",
    "servers.Orphan": "server_read",
    "taskservs.Taskserv": "taskserv_read",
    "workflows.Workflow": "workflow_read",
    "workflows.Schedule": "workflow_read",
    "workflows.FreezeWindow": "workflow_read",
    "workflows.WorkflowDefinition": "workflow_read",
    "workspaces.Workspace": "workspace_read",
    "providers.CloudAccount": "account_change",
    "providers.Plan": "server_read",
    "providers.Zone": "server_read",
    "accounts.User": "view_user",
    "auth.Group": "view_group",
}
ACTIONS = {
    "operations.Operation": {"cancel_selected": "operation_cancel", "run_again": "taskserv_create"},
    "servers.Server": {
        **dict.fromkeys(("start_servers", "stop_servers", "reboot_servers"), "server_create"),
        **dict.fromkeys(("protect_servers", "unprotect_servers"), "server_create"),
        **dict.fromkeys(("compare_servers", "adopt_servers", "recreate_servers"), "server_create"),
        **dict.fromkeys(("forget_servers", "delete_servers"), "server_delete"),
    },
    "servers.Orphan": {"adopt_orphans": "server_create", "delete_orphans": "server_delete"},
    "taskservs.Taskserv": {
        **dict.fromkeys(("verify_taskservs", "upgrade_taskservs"), "taskserv_create"),
        "remove_taskservs": "taskserv_delete",
    },
    "workflows.Workflow": {
        **dict.fromkeys(("approve_workflows", "reject_workflows", "resume_workflows"), "workflow_submit"),
        **dict.fromkeys(("roll_back_workflows", "cancel_selected"), "workflow_cancel"),
    },
    "workflows.Schedule": dict.fromkeys(
        ("pause_schedules", "unpause_schedules", "run_schedules", "delete_schedules"), "workflow_submit"
    ),
    "workflows.FreezeWindow": {"delete_freeze_windows": "workflow_cancel"},
    "workflows.WorkflowDefinition": {"retire_definitions": "workflow_cancel"},
    "workspaces.Workspace": {"activate": "workspace_create"},
    "providers.CloudAccount": dict.fromkeys(("read_catalog", "test_connection", "compare"), "account_change"),
    "accounts.User": {"end_all_sessions": "change_user", "delete_selected": "change_user"},
    "auth.Group": {"delete_selected": "change_user"},
}
FORMS = {
    "workflows.Workflow": {"add": "workflow_submit"},
    "workflows.Schedule": {"add": "workflow_submit"},
    "workflows.FreezeWindow": {"add": "workflow_cancel"},
    "workflows.WorkflowDefinition": {"add": "workflow_cancel"},
    "taskservs.Taskserv": {"add": "taskserv_create"},
    "servers.Server": {"add": "server_create", "change": "server_create"},
    "workspaces.Workspace": {"add": "workspace_create"},
    "providers.CloudAccount": {"add": "account_change", "change": "account_change"},
    "accounts.User": {"add": "change_user", "change": "change_user"},
    "auth.Group": {"add": "change_user", "change": "change_user"},
}
# Pages of libraries: for superusers only, and not on the index of any role.
LIBRARIES = {"axes", "django_q"}
MODELS = [model for model in admin.site._registry if model._meta.app_label not in LIBRARIES]


def may(role, codename):
    return codename in EXPECTED[role] or (role == "admin" and codename in ADMIN_ONLY)


def label(model):
    return model._meta.label


@pytest.fixture(params=list(EXPECTED))
def role(request):
    return request.param


@pytest.fixture
def client(role, stage):
    return browser(seeded(f"a-{role}", role))


@pytest.fixture
def stage(workspace, alice, db):
    """A row of every kind, each linked to others that not everybody may open."""
    account = CloudAccount.objects.create(provider="upcloud", name="default", sealed_credentials="none")
    account.plans.create(name="p", cpus=1, memory_mib=1024, disk_gib=10)
    account.zones.create(name="z")
    WorkerNode.objects.create(name="node-1", workers=2)
    server = Server.objects.create(
        workspace=workspace, account=account, hostname="web-01", provider="upcloud", plan="p", zone="z", status="failed"
    )
    Orphan.objects.create(account=account, ref="machine-9", server_id="srv-lost", hostname="stray-01")
    workflow = Operation.objects.create(
        workspace=workspace, kind="workflow.run", actor=alice, due_at="2999-01-01T00:00Z"
    )
    Workflow.objects.create(
        operation=workflow, type="cluster_create", definition={"title": "T", "steps": []}, parameters={}
    )
    facts = {"workspace": workspace, "actor": alice, "parent": workflow, "due_at": "2999-01-01T00:00Z"}
    one = Operation.objects.create(kind="server.delete", target=server.target, **facts)
    Operation.objects.create(kind="account.check", target=f"account:{account.pk}", **facts)
    one.events.create(seq=1, message="Begun.")
    Step.objects.create(workflow_id=workflow.pk, name="a", position=0, index=0, uses="server.delete", operation=one)
    facts = {"workspace": workspace, "name": "nightly", "workflow_type": "cluster_create", "cron": "0 4 * * *"}
    Schedule.objects.create(actor=alice, **facts)
    FreezeWindow.objects.create(
        workspace=workspace, reason="year end", starts_at="2999-01-01T00:00Z", ends_at="2999-01-02T00:00Z"
    )
    text = "title: T\nsteps:\n  - {name: a, wait: {for: 0}}\n"
    WorkflowDefinition.objects.create(name="mine", version=1, text=text, uploaded_by=alice)
    server.taskservs.create(workspace=workspace, name="nginx", version="1.22", status="running")


def rows(model):
    return list(model._default_manager.all()[:3])


def offered(html):
    return set(re.findall(r'<option value="(\w+)"', html.partition('name="action"')[2].partition("</select>")[0]))


def buttons(html):
    return set(re.findall(r'name="action" value="(\w+)"', html))


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_it_writes_down_the_permission_of_every_page_and_action(model):
    declared = {name for _, name, _ in admin.site._registry[model]._get_base_actions()} - {"delete_selected"}
    assert label(model) in READS
    assert set(ACTIONS.get(label(model), {})) - {"delete_selected"} == declared


def test_it_opens_what_the_role_may_read_and_offers_what_it_may_do(role, client):
    shown, links = on_the_index(client), set()
    for model in MODELS:
        name, readable = label(model), may(role, READS[label(model)])
        assert (model in shown) == readable, name
        answer = client.get(listing(model))
        assert answer.status_code == (200 if readable else 403), name
        allowed = {action for action, codename in ACTIONS.get(name, {}).items() if may(role, codename)}
        add = may(role, FORMS.get(name, {}).get("add", "-"))
        assert client.get(listing(model) + "add/").status_code == (200 if add else 403), name
        assert [client.get(page(row)).status_code for row in rows(model)] == [200 if readable else 403] * len(
            rows(model)
        )
        if readable:
            export = {"export_csv"} if isinstance(admin.site._registry[model], ReadOnlyAdmin) else set()
            assert offered(answer.content.decode()) == allowed | export, name
            html = client.get(page(rows(model)[0])).content.decode()
            assert buttons(html) <= allowed, name
            links |= links_of(html)
    assert refused_of(client, links) == []


def on_the_index(client):
    return {model["model"] for app in client.get("/admin/").context["app_list"] for model in app["models"]}


def links_of(html):
    """Return what a page links or offers."""
    links = set(re.findall(r'href="(/admin/[^"#]*)"', html)) - {"/admin/logout/"}
    assert links
    return {link.replace("&amp;", "&") for link in links}


def refused_of(client, links):
    """Return the links that cannot be opened."""
    return [link for link in links if client.get(link).status_code not in (200, 302)]


def test_it_takes_no_action_that_the_role_may_not_take(role, client):
    for model in MODELS:
        for action, codename in ACTIONS.get(label(model), {}).items():
            if may(role, codename):
                continue
            before = (list(Operation.objects.values()), list(model._default_manager.values()))
            data = {"action": action, helpers.ACTION_CHECKBOX_NAME: [row.pk for row in rows(model)], "confirmed": "1"}
            client.post(listing(model), {**data, "post": "yes", "workspace": "production", "index": 0})
            assert (list(Operation.objects.values()), list(model._default_manager.values())) == before, action


def test_it_saves_no_form_that_the_role_may_not_save(role, client):
    for model in MODELS:
        allowed = may(role, FORMS.get(label(model), {}).get("change", "-"))
        own = label(model) == "auth.Group"  # the documented roles stay as they are documented
        for row in rows(model):
            answer = client.post(page(row), {"protected": "on", "name": "x", "username": "x"})
            assert (answer.status_code == 403) == (not allowed or own), (label(model), row)


def test_it_lets_every_role_log_in(role, stage, db):
    seeded("somebody", role)
    User.objects.filter(username="somebody").update(is_staff=False)  # as those who were made before
    browser_ = Client()
    answer = browser_.post("/admin/login/", {"username": "somebody", "password": PASSWORD, "next": "/admin/"})
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/")
    assert browser_.get(reverse("admin:index")).status_code == 200


def test_it_refuses_who_has_no_permission_at_all(charlie):
    answer = Client().post("/admin/login/", {"username": "charlie", "password": PASSWORD})
    assert answer.status_code == 200
    assert "Please enter a correct username and password" in answer.content.decode()


def test_it_refuses_a_deactivated_operator(alice):
    client = browser(alice)
    assert client.get("/admin/").status_code == 200
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302


def test_it_links_nothing_that_a_reader_of_servers_could_not_open(stage):
    client = browser(staff("reader", "server_read"))
    html = client.get(page(Server.objects.get())).content.decode()
    assert refused_of(client, links_of(html)) == []
