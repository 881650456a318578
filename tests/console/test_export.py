"""Lists as CSV files."""

import csv
import io

from apps.servers.models import Server
from tests.console import a_server, act, an_operation, browser, listing, seeded, staff


def rows_of(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))


def test_it_exports_what_the_list_shows_with_exact_times(account, workspace):
    server = a_server(account, workspace, tags=["web"])
    [row] = rows_of(act(browser(seeded("viv", "viewer")), [server], "export_csv"))
    assert (row["hostname"], row["status"], row["cost per month"]) == ("web-01", "running", "28.00 EUR")
    assert row["created"] == server.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_it_exports_all_that_a_filter_leaves(account, workspace):
    for number in range(60):
        a_server(account, workspace, f"web-{number:02}", status="failed" if number % 2 else "running")
    data = {"action": "export_csv", "index": 0, "select_across": 1, "_selected_action": Server.objects.first().pk}
    answer = browser(seeded("viv", "viewer")).post(f"{listing(Server)}?status__exact=failed", data)
    assert [row["status"] for row in rows_of(answer)] == ["failed"] * 30


def test_no_cell_is_a_formula(workspace):
    operation = an_operation(workspace, status="failed", error="=HYPERLINK(1)")
    [row] = rows_of(act(browser(seeded("viv", "viewer")), [operation], "export_csv"))
    assert row["why it waits, or failed"] == "'=HYPERLINK(1)"
    assert row["operation"] == "Create a server"


def test_it_needs_the_permission_to_read(workspace):
    operation = an_operation(workspace)
    answer = act(browser(staff("reader", "server_read")), [operation], "export_csv")
    assert answer.status_code == 403
