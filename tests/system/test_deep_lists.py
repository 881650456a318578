"""Lists too long to count: pages that begin after a cursor, and queries that go straight to their rows."""

import itertools
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.operations.admin import search
from apps.operations.models import Operation
from apps.servers.admin.search import search as search_servers
from apps.servers.models import Server
from apps.workspaces.models import Workspace
from tests.system.lists import MAKERS, NAMES, PATHS, following, make_operations, moment, walk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted_up_to_five(monkeypatch):
    monkeypatch.setattr("apps.system.api.pagination.MAX_COUNTED", 5)
    monkeypatch.setattr("apps.system.api.pagination.DEEP", 3)
    monkeypatch.setattr("apps.system.list_queries.MAX_SORTED", 5)


@pytest.fixture
def far_from_three(monkeypatch):
    monkeypatch.setattr("apps.system.list_queries.FAR", 3)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ordering", ["", "&ordering=created_at", "&ordering=-created_at"])
def test_it_walks_beyond_what_is_counted(path, ordering, api, root):
    MAKERS[path](25)
    caller = api(root)
    everything = [row[NAMES[path]] for row in caller.get(f"{path}?page=1&per_page=1000{ordering}").json()]
    assert len(everything) == 25
    assert walk(caller, f"{path}?page=1&per_page=4{ordering}", NAMES[path]) == everything


MIXED_ORDERS = (
    "status,-created_at",
    "status,-kind",
    "-kind,-status",
    "-kind,status,updated_at",
    "kind,-updated_at,status",
    "updated_at,-kind",
    "-created_at,updated_at",
)


@pytest.mark.parametrize("filters", ["", "&kind=server.reboot", "&status=failed&workspace=team-1", "&kind=no.such"])
@pytest.mark.parametrize("ordering", MIXED_ORDERS)
def test_an_order_by_several_fields_is_the_same_in_pages(ordering, filters, api, root, far_from_three):
    places = [None, *Workspace.objects.bulk_create(workspaces()[:3])]
    sorts = itertools.product(["server.create", "server.reboot", "probe"], ["completed", "failed", "pending"], places)
    Operation.objects.bulk_create(
        Operation(kind=kind, status=status, workspace=place, created_at=moment(row % 5), updated_at=moment(row % 7))
        for row, (kind, status, place) in enumerate(itertools.chain(sorts, [("probe", "running", None)] * 8))
    )
    caller = api(root)
    everything = [row["id"] for row in caller.get(f"/v1/operations?ordering={ordering}{filters}").json()]
    url = f"/v1/operations?per_page=4&ordering={ordering}{filters}"
    assert walk(caller, f"{url}&page=1", "id") == everything
    for page in range(1, 13, 3):
        rows = [row["id"] for row in caller.get(f"{url}&page={page}").json()]
        assert rows == everything[(page - 1) * 4 : page * 4]


def test_a_long_list_has_pages_by_number_up_to_a_row(api, root, monkeypatch):
    monkeypatch.setattr("apps.system.api.pagination.MAX_PASSED", 20)
    make_operations(30)
    assert len(api(root).get("/v1/operations?page=6&per_page=4").json()) == 4
    answer = api(root).get("/v1/operations?page=7&per_page=4")
    assert answer.status_code == 400
    assert "page" in answer.json()["details"]
    assert api(root).get("/v1/operations?page=7&per_page=4&kind=no.such").json() == []


def test_it_says_that_the_count_is_a_bound(api, root):
    make_operations(25)
    answer = api(root).get("/v1/operations?page=2&per_page=3")
    assert (answer["X-Total-Count"], answer["X-Total-Count-Bounded"]) == ("5", "true")
    exact = api(root).get("/v1/operations?page=1&per_page=3&created_before=2025-10-01T04:00:00Z")
    assert exact["X-Total-Count"] == "4"
    assert "X-Total-Count-Bounded" not in exact


@pytest.mark.parametrize("page", [1, 2, 4, 9])
def test_a_page_by_number_is_the_same_far_back(page, api, root, far_from_three):
    rows = [str(row.pk) for row in make_operations(30)]
    answer = api(root).get(f"/v1/operations?page={page}&per_page=4")
    assert [row["id"] for row in answer.json()] == rows[(page - 1) * 4 : page * 4]


def test_inserts_neither_repeat_nor_hide_rows(api, root):
    rows = [str(row.pk) for row in make_operations(20)]
    newer = iter(range(1, 100))

    def insert():
        Operation.objects.create(kind="server.create", created_at=moment(100) + timedelta(hours=next(newer)))

    assert walk(api(root), "/v1/operations?page=1&per_page=3&ordering=-created_at", "id", insert) == rows[::-1]


def test_rows_deleted_on_the_way_hide_no_others(api, root):
    rows = [str(row.pk) for row in make_operations(20)]
    caller = api(root)
    first = caller.get("/v1/operations?page=1&per_page=4")
    Operation.objects.filter(pk__in=rows[:4]).delete()
    assert walk(caller, following(first), "id") == rows[4:]


def test_rows_of_the_same_time_and_kind_are_distinguished(api, root):
    rows = {str(row.pk) for row in make_operations(20, kind="server.delete")}
    Operation.objects.update(created_at=moment(3))
    found = walk(api(root), "/v1/operations?page=1&per_page=3&ordering=-kind", "id")
    assert len(found) == 20
    assert set(found) == rows


@pytest.mark.parametrize(
    "cursor",
    ["x", "W10", "bnVsbA", "WzFd", "WyJ4IiwieSJd", "WyIyMDI1LTEwLTAxIiwieCJd", "%00", "a" * 5000, "W1tdLFtdXQ", "é"],
)
@pytest.mark.parametrize("path", PATHS)
def test_it_refuses_a_cursor_that_it_did_not_give(cursor, path, api, root):
    answer = api(root).get(f"{path}?after={cursor}")
    assert answer.status_code == 400
    assert "after" in str(answer.json())


def test_it_refuses_page_and_place_at_once(api, root):
    make_operations(20)
    [cursor] = parse_qs(urlsplit(following(api(root).get("/v1/operations?page=1&per_page=3"))).query)["after"]
    assert api(root).get(f"/v1/operations?after={cursor}").status_code == 200
    assert api(root).get(f"/v1/operations?page=1&after={cursor}").status_code == 400


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def plans(caller, url):
    """Return how the database would do each statement that reads operations for an address."""
    with CaptureQueriesContext(connection) as queries:
        assert caller.get(url).status_code == 200
    asked = [query["sql"] for query in queries if 'FROM "operations_operation"' in query["sql"]]
    assert asked
    word = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    found = []
    with connection.cursor() as cursor:
        for sql in asked:
            cursor.execute(word + sql)
            found.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
    return found


def make_mixed_operations():
    """Make as many operations of as many sorts as it takes for an index to be worth while, and let the planner know."""
    kinds = [
        f"{what}.{verb}" for what in ("server", "taskserv") for verb in ("create", "reboot", "verify", "delete", "run")
    ]
    sorts = itertools.product(Workspace.objects.bulk_create(workspaces()), kinds, ["completed", "failed"], range(10))
    Operation.objects.bulk_create(
        Operation(
            id=UUID(int=number),
            workspace=place,
            kind=kind,
            status=status,
            due_at=None,
            created_at=moment(number * 7919 % 2000),
            updated_at=moment(number),
        )
        for number, (place, kind, status, _) in enumerate(sorts)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE operations_operation, workspaces_workspace")


def workspaces():
    return [Workspace(name=name, path=f"/opt/{name}") for name in ("production", *(f"team-{i}" for i in range(9)))]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("kind=server.reboot", "operation_kind"),
        ("status=failed&kind=server.reboot", "operation_(failed|kind)"),
        ("workspace=production", "operation_workspace"),
        ("ordering=kind", "operation_kind"),
        ("ordering=-status", "operation_status"),
        ("ordering=-created_at", "operation_created"),
    ],
)
def test_filters_and_orders_are_served_by_an_index(query, index, api, root):
    make_mixed_operations()
    for plan in plans(api(root), f"/v1/operations?per_page=3&page=3&{query}")[-2:-1]:
        assert re.search(index, plan), plan


def test_a_search_is_served_by_indexes(root):
    make_operations(50, target="", kind="probe")
    sql, params = search("srv-7").query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql, params)
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert "operation_target" in plan, plan
    assert "Seq Scan" not in plan
    assert "SCAN" not in plan


def test_a_search_for_servers_is_served_by_indexes(root):
    MAKERS["/v1/servers"](300)
    sql, params = search_servers("web-00001").query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql, params)
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert "server_hostname" in plan, plan
    assert "Seq Scan" not in plan
    assert "SCAN" not in plan


def test_a_search_finds_servers_by_hostname_id_and_address(root):
    MAKERS["/v1/servers"](30)
    server = Server.objects.all()[7]
    Server.objects.filter(pk=server.pk).update(hostname="Web-Shop.example", ip_address="192.0.2.77")
    for term in ("web-shop", "WEB-SHOP.E", server.pk, server.pk[:12], "192.0.2.77"):
        assert [row["pk"] for row in search_servers(term)] == [server.pk], term
    assert not search_servers("shop").exists()
    assert not search_servers("192.0.2").exists()


@pytest.mark.parametrize("target", ["server:srv-100%", "server:srv-100_", "server:srv-\\", "server:srv-ü"])
def test_a_search_takes_signs_for_what_they_are(target, root):
    [wanted] = make_operations(1, target=target)
    Operation.objects.create(kind="probe", target="server:srv-1000x")
    for term in (target, target.removeprefix("server:")):
        assert [row["pk"] for row in search(term)] == [wanted.pk]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("kind=server.create&status=cancelled", "operation_status"),
        ("status=completed&kind=no.such", "operation_kind"),
        ("status=completed&workspace=team-3", "operation_workspace"),
    ],
    ids=["SQLite, by status", "SQLite, by kind", "SQLite, by workspace"],
)
def test_of_several_filters_the_rarest_leads(query, index, api, root):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps statistics")
    make_mixed_operations()
    Operation.objects.filter(pk__in=Operation.objects.filter(kind="server.create").values("pk")[:2]).update(
        status="cancelled"
    )
    _, _, count, page, *_ = plans(api(root), f"/v1/operations?per_page=3&page=1&{query}")  # two weigh the filters
    assert index in count
    assert index in page


def test_several_filters_select_what_each_of_them_does(api, root):
    make_mixed_operations()
    caller = api(root)
    for page in ("page=1", "page=3"):
        query = "workspace=production&kind=server.create&status=failed&ordering=-updated_at"
        rows = caller.get(f"/v1/operations?{query}&per_page=5&{page}").json()
        expected = Operation.objects.filter(workspace__name="production", kind="server.create", status="failed")
        begin = 5 * (int(page[-1]) - 1)
        assert [row["id"] for row in rows] == [
            str(row.pk) for row in expected.order_by("-updated_at")[begin : begin + 5]
        ]
