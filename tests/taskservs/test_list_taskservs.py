import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.taskservs.models import Installation, Taskserv
from tests.refusals import refused


@pytest.fixture
def three(machine):
    """Rows of two workspaces: redis on two servers, nginx on one, and a failed redis elsewhere."""
    b, a, c = machine("web-b"), machine("web-a"), machine("db-01", place="staging")
    wanted = [("redis", "running", [b, a], "2025-10-01"), ("nginx", "pending", [a], "2025-10-02")]
    wanted.append(("redis", "failed", [c], "2025-10-03"))
    for name, status, servers, day in wanted:
        taskserv = Taskserv.objects.create(
            workspace=servers[0].workspace, name=name, version="7.0", status=status, created_at=f"{day}T12:00:00Z"
        )
        Installation.objects.bulk_create([Installation(taskserv=taskserv, server=server) for server in servers])


def days(answer):
    assert answer.status_code == 200, answer.content
    return [each["created_at"][:10] for each in answer.json()]


def test_it_answers_the_documented_keys_with_sorted_hostnames(api, bob, three):
    listed = api(bob).get("/v1/taskservs").json()
    assert [list(each) for each in listed] == [["id", "name", "version", "servers", "status", "created_at"]] * 3
    assert [each["servers"] for each in listed] == [["web-a", "web-b"], ["web-a"], ["db-01"]]
    assert listed[0]["created_at"] == "2025-10-01T12:00:00Z"


def test_it_lists_one_whose_servers_are_gone(api, bob, three):
    Installation.objects.all().delete()
    assert [each["servers"] for each in api(bob).get("/v1/taskservs").json()] == [[], [], []]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=running", ["2025-10-01"]),
        ("workspace=staging", ["2025-10-03"]),
        ("hostname=web-a", ["2025-10-01", "2025-10-02"]),
        ("hostname=web-a&name=nginx", ["2025-10-02"]),
        ("name=redis", ["2025-10-01", "2025-10-03"]),
        ("created_after=2025-10-02", ["2025-10-02", "2025-10-03"]),
        ("created_before=2025-10-02T00:00:00Z", ["2025-10-01"]),
        ("ordering=-created_at", ["2025-10-03", "2025-10-02", "2025-10-01"]),
        ("page=2&per_page=2", ["2025-10-03"]),
        ("workspace=nowhere", []),
    ],
)
def test_it_picks_and_orders(api, bob, three, query, expected):
    assert days(api(bob).get(f"/v1/taskservs?{query}")) == expected


@pytest.mark.parametrize(
    ("found", "health"),
    [
        (["healthy", "healthy"], "healthy"),
        (["healthy", "unknown"], "unknown"),
        (["unreachable", "healthy"], "unreachable"),
        (["degraded", "unreachable"], "degraded"),
        ([], "unknown"),
    ],
)
def test_it_picks_by_the_health_of_the_worst_server(api, bob, three, found, health):
    one, other = Taskserv.objects.order_by("created_at")[:2]
    Taskserv.objects.exclude(pk__in=[one.pk, other.pk]).delete()
    other.installations.update(health="healthy" if health != "healthy" else "degraded")
    servers = [each.server for each in one.installations.all()]
    one.installations.all().delete()
    Installation.objects.bulk_create(
        Installation(taskserv=one, server=server, health=each) for server, each in zip(servers, found, strict=False)
    )
    for each in Installation.Health.values:
        listed = [row["id"] for row in api(bob).get(f"/v1/taskservs?health={each}").json()]
        assert (one.id in listed) == (each == health), each
        assert api(bob).get(f"/v1/taskservs?health={each}&page=1&name={one.name}").json() == [
            row for row in api(bob).get(f"/v1/taskservs?name={one.name}").json() if each == health
        ]


@pytest.mark.parametrize("query", ["status=up", "health=ill", "created_after=soon", "colour=red", "ordering=config"])
def test_it_refuses_impossible_queries(api, bob, three, query):
    refused(api(bob).get(f"/v1/taskservs?{query}"), 400)


def test_it_asks_the_database_once_for_any_number_of_rows(api, bob, three):
    client = api(bob)
    client.get("/v1/taskservs")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get("/v1/taskservs")
    assert len([query for query in queries if "taskservs_taskserv" in query["sql"]]) == 1


# ── the catalog ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_shows_the_catalog(api, bob):
    answer = api(bob).get("/v1/taskservs/catalog")
    assert answer.status_code == 200, answer.content
    by_name = {each["name"]: each for each in answer.json()}
    assert {"redis", "nginx", "containerd", "kubernetes"} <= by_name.keys()
    kubernetes = by_name["kubernetes"]
    documented = ["name", "title", "category", "versions", "default_version", "requires", "conflicts", "config_schema"]
    assert {*documented, "servers", "roles", "endpoints", "needs", "secrets", "fixed", "catalog"} <= kubernetes.keys()
    assert by_name["redis"]["secrets"] == ["password"] and by_name["redis"]["generated"] == {"password": 32}
    assert by_name["redis"]["endpoints"][0]["port"] == "port" and kubernetes["endpoints"][0]["port"] == 6443
    assert "1.28.0" in kubernetes["versions"] and kubernetes["requires"] == ["containerd"]
    assert kubernetes["config_schema"]["properties"]["version"]["enum"] == kubernetes["versions"]
    assert kubernetes["config_schema"]["additionalProperties"] is False


# ── permissions ───────────────────────────────────────────────────────────────────────────────────────────────────────
READS = [("get", "/v1/taskservs"), ("get", "/v1/taskservs/catalog")]
CHANGES = [("post", "/v1/taskservs/create", "taskserv_create"), ("delete", "/v1/taskservs/tsk-1", "taskserv_delete")]


@pytest.mark.parametrize(("method", "path"), READS)
def test_it_lets_only_readers_read(api, bob, charlie, method, path):
    assert getattr(api(bob), method)(path).status_code == 200
    assert "taskserv_read" in refused(getattr(api(charlie), method)(path), 403)["message"]
    refused(getattr(api(), method)(path), 401)


@pytest.mark.parametrize(("method", "path", "codename"), CHANGES)
def test_it_lets_readers_change_nothing(api, bob, charlie, method, path, codename):
    for person in (bob, charlie):
        assert codename in refused(getattr(api(person), method)(path, {}), 403)["message"]
    refused(getattr(api(), method)(path, {}), 401)


def test_it_lets_developers_create_but_not_delete(api, dora, web_01):
    body = {"workspace": "production", "name": "redis", "servers": ["web-01"]}
    assert api(dora).post("/v1/taskservs/create", body).status_code == 200
    refused(api(dora).delete(f"/v1/taskservs/{Taskserv.objects.get().id}"), 403)
