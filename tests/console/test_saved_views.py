"""Saved views: filters, search and order of a list, named by a user for that user."""

import pytest

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.models import SavedView
from tests.console import a_server, browser, listing, seeded, shown_messages, staff

QUERY = "status__exact=failed&q=web&o=-1"


@pytest.fixture
def viv(db):
    return seeded("viv", "viewer")


def save(client, name="Failed web", query=QUERY, model=Server):
    return client.post(f"{listing(model)}views/save/", {"name": name, "query": query}, follow=True)


def test_it_saves_filters_search_and_order_and_shows_the_list_so(viv, account, workspace):
    a_server(account, workspace, "web-01", status="failed")
    a_server(account, workspace, "web-02")
    client = browser(viv)
    assert "Save this view" not in client.get(listing(Server)).content.decode()
    assert "Save this view" in client.get(f"{listing(Server)}?{QUERY}").content.decode()
    answer = save(client, query=f"{QUERY}&p=7&after=xyz&all=&e=1")
    assert shown_messages(answer) == ["Saved the view “Failed web”."]
    assert [row.hostname for row in answer.context["cl"].result_list] == ["web-01"]
    view = SavedView.objects.get()
    assert (view.user, view.list_name, view.query) == (viv, "servers.server", "o=-1&q=web&status__exact=failed")
    html = client.get(listing(Server)).content.decode()
    assert f'href="?{view.query.replace("&", "&amp;")}">Failed web</a>' in html
    assert "Failed web" not in client.get(listing(Operation)).content.decode()


def test_a_name_saved_again_is_replaced_and_a_view_is_deleted(viv):
    client = browser(viv)
    save(client)
    save(client, query="status__exact=running")
    view = SavedView.objects.get()
    assert view.query == "status__exact=running"
    assert client.get(f"{listing(Server)}views/{view.pk}/delete/").status_code == 405
    answer = client.post(f"{listing(Server)}views/{view.pk}/delete/", follow=True)
    assert shown_messages(answer) == ["Deleted the view “Failed web”."]
    assert not SavedView.objects.exists()


def test_views_are_their_users_own(viv, db):
    save(browser(viv))
    view, other = SavedView.objects.get(), browser(seeded("olga", "operator"))
    assert "Failed web" not in other.get(listing(Server)).content.decode()
    answer = other.post(f"{listing(Server)}views/{view.pk}/delete/", follow=True)
    assert "view" in shown_messages(answer)[0] and SavedView.objects.exists()
    save(other)
    assert SavedView.objects.count() == 2
    User.objects.get(username="olga").delete()
    assert SavedView.objects.get() == view


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("", QUERY),
        ("x" * 65, QUERY),
        ("\0", QUERY),
        ("Nothing", ""),
        ("Nothing", "p=2&q="),
        ("Long", "q=" + "x" * 2000),
    ],
)
def test_it_refuses_what_is_no_view(viv, name, query):
    answer = save(browser(viv), name, query)
    assert answer.status_code == 200 and len(shown_messages(answer)) == 1
    assert not SavedView.objects.exists()


def test_a_list_has_so_many_views_at_most(viv):
    rows = [SavedView(user=viv, list_name="servers.server", name=f"view {number}", query="q=x") for number in range(50)]
    SavedView.objects.bulk_create(rows)
    assert "at most 50" in shown_messages(save(browser(viv)))[0]
    save(browser(viv), model=Operation)
    assert SavedView.objects.count() == 51


def test_it_asks_for_the_permission_of_the_list_and_a_token(viv):
    assert save(browser(staff("watcher", "operation_read"))).status_code == 403
    client = browser(viv)
    client.handler.enforce_csrf_checks = True
    assert save(client).status_code == 403
    assert not SavedView.objects.exists()


def test_a_view_leads_nowhere_but_to_its_list(viv):
    answer = browser(viv).post(f"{listing(Server)}views/save/", {"name": "x", "query": "//evil.example/?q=1"})
    assert answer.url.startswith(f"{listing(Server)}?")
