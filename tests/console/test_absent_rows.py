"""Pages that have little to show still say something: of rows that are gone, without a history, after a logout."""

import pytest
from django.utils import timezone

from apps.servers.models import DeletedServer
from tests.console import a_server, an_operation, browser, page, seeded


def told(response):
    return response.content.decode()


def test_a_deleted_server_is_named_and_its_operations_are_linked(db):
    DeletedServer.objects.create(id="srv-gone", hostname="web-09", deleted_at=timezone.now())
    client = browser(seeded("vera", "viewer"))
    answer = client.get("/admin/servers/server/srv-gone/change/", follow=True)
    assert answer.redirect_chain == [("/admin/servers/server/", 302)]
    assert "web-09 was deleted" in told(answer)
    assert "/admin/operations/operation/?target=server:srv-gone" in told(answer)
    assert client.get("/admin/operations/operation/?target=server:srv-gone").status_code == 200


@pytest.mark.parametrize("name", ["servers/server", "workflows/schedule", "workspaces/workspace"])
def test_a_row_that_never_was_leads_to_the_list(name, db):
    answer = browser(seeded("vera", "viewer")).get(f"/admin/{name}/nothing/change/", follow=True)
    assert answer.redirect_chain == [(f"/admin/{name}/", 302)]
    assert "There is no" in told(answer) and "nothing. It may have been deleted." in told(answer)


def test_the_history_of_a_row_is_titled_like_its_page_and_leads_back(workspace, account):
    operation = an_operation(workspace, status="completed", kind="server.list", target="")
    shown = told(browser(seeded("vera", "viewer")).get(page(operation).replace("/change/", "/history/")))
    assert "History of List the servers" in shown and "Nothing was done to it in the console yet." in shown
    assert str(operation.pk) not in shown.partition("<title>")[2].partition("</title>")[0]
    assert f'href="{page(operation)}"' in shown


def test_the_address_of_the_logout_alone_logs_nobody_out(db):
    client = browser(seeded("vera", "viewer"))
    assert client.get("/admin/logout/").url == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.post("/admin/logout/").status_code == 200
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(("role", "is_told"), [("operator", True), ("viewer", False)])
def test_what_to_do_next_is_told_to_those_who_may_do_it(role, is_told, workspace, account):
    server = a_server(account, workspace, status="failed")
    shown = told(browser(seeded("olga", role)).get(page(server)))
    assert "It has failed" in shown
    assert ("Recreate tries once more" in shown) == is_told
