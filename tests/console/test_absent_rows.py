"""Pages of rows that are gone, and what a page of a failed one tells each role."""

import pytest
from django.utils import timezone

from apps.servers.models import DeletedServer
from tests.console import a_server, browser, page, seeded


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


@pytest.mark.parametrize(("role", "is_told"), [("operator", True), ("viewer", False)])
def test_what_to_do_next_is_told_to_those_who_may_do_it(role, is_told, workspace, account):
    server = a_server(account, workspace, status="failed")
    shown = told(browser(seeded("olga", role)).get(page(server)))
    assert "It has failed" in shown
    assert ("Recreate tries once more" in shown) == is_told
