"""Workspaces in the admin site."""

import pytest

from apps.workspaces.models import Workspace
from tests.console import act, browser, page, seeded, shown_messages, staff

ADD = "/admin/workspaces/workspace/add/"


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def test_it_creates_and_activates_through_the_service(chief, workspace):
    answer = browser(chief).post(ADD, {"name": "staging", "path": "/opt/staging", "activate": "on"})
    assert answer.status_code == 302
    assert Workspace.objects.get(active=True).name == "staging"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "staging", "path": "/opt/../etc"}, "path"),
        ({"name": "staging", "path": "relative"}, "path"),
        ({"name": "no slug", "path": "/opt/x"}, "name"),
        ({"name": "production", "path": "/opt/x"}, "name"),
        ({"name": "staging", "path": "/opt/workspaces/production"}, "path"),
    ],
)
def test_it_shows_at_the_field_what_is_refused(chief, workspace, given, field):
    answer = browser(chief).post(ADD, given)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert Workspace.objects.count() == 1


def test_it_moves_the_active_mark(chief, workspace):
    other = Workspace.objects.create(name="staging", path="/opt/staging")
    client = browser(chief)
    assert "exactly one" in shown_messages(act(client, [workspace, other], "activate"))[0]
    assert "staging is the active workspace" in shown_messages(act(client, [other], "activate"))[0].lower()
    assert Workspace.objects.get(active=True) == other


def test_it_changes_nothing_else(chief, workspace):
    assert browser(chief).post(page(workspace), {"name": "x", "path": "/x"}).status_code == 403


def test_it_needs_the_permission(workspace):
    client = browser(staff("reader", "workspace_read"))
    other = Workspace.objects.create(name="staging", path="/opt/staging")
    assert client.get(ADD).status_code == 403
    act(client, [other], "activate")
    assert Workspace.objects.get(active=True) == workspace
