"""Each list's own filters, and its rows down to the last letter."""

import json

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workspaces.models import Workspace
from tests.system.lists import make_operations, make_servers, make_workspaces, shown

pytestmark = pytest.mark.django_db
TEXTS = [
    "Zürich",
    "日本語",
    "😀",
    'a "quoted" \\ text',
    "tab\tand\nline",
    "</script>",
    "'; DROP TABLE x; --",
    "100 %s %%",
]


@pytest.fixture
def hostnames(api, root):
    caller = api(root)

    def listed(query):
        answer = caller.get(f"/v1/servers?ordering=hostname&{query}")
        assert answer.status_code == 200, answer.content
        return [row["hostname"][-1] for row in answer.json()]

    return listed


@pytest.fixture
def servers():
    made = make_servers(5)
    other = Workspace.objects.create(name="staging", path="/opt/workspaces/staging")
    facts = [
        {"status": "running", "tags": ["web", "production"]},
        {"status": "running", "tags": ["webby"], "provider": "local"},
        {"status": "failed", "tags": [], "workspace": other},
        {"status": "deleting", "tags": ["a:b=c"]},
        {"status": "stopped", "tags": ["production", "web"], "workspace": other},
    ]
    for server, fact in zip(made, facts, strict=True):
        Server.objects.filter(pk=server.pk).update(**fact)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=running", "01"),
        ("status=deleting", "3"),
        ("status=pending", ""),
        ("workspace=staging", "24"),
        ("workspace=nowhere", ""),
        ("provider=local", "1"),
        ("provider=Local", ""),
        ("hostname=web-000003", "3"),
        ("hostname=web", ""),
        ("tag=web", "04"),
        ("tag=we", ""),
        ("tag=a:b=c", "3"),
        ("tag=%22", ""),
        ("tag=web%22,%22production", ""),
        ("tag=%25", ""),
        ("tag=_eb", ""),
        ("workspace=staging&status=stopped&tag=web&provider=upcloud&hostname=web-000004", "4"),
        ("workspace=staging&status=running", ""),
    ],
)
def test_it_picks_servers(query, expected, servers, hostnames):
    assert "".join(hostnames(query)) == expected


def test_it_counts_only_what_was_picked(servers, api, root):
    answer = api(root).get("/v1/servers?tag=web&page=2&per_page=1&ordering=hostname")
    assert [row["hostname"] for row in answer.json()] == ["web-000004"]
    assert answer["X-Total-Count"] == "2"
    assert "tag=web" in answer["Link"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=pending", [0, 3]),
        ("status=completed", [1]),
        ("status=cancelled", [2]),
        ("kind=server.delete", [3]),
        ("kind=server", []),
        ("workspace=production", [0, 1, 2]),
        ("workspace=staging&kind=server.delete&status=pending", [3]),
    ],
)
def test_it_picks_operations(query, expected, api, root):
    made = make_operations(4)
    other = Workspace.objects.create(name="staging", path="/opt/workspaces/staging")
    Operation.objects.filter(pk=made[1].pk).update(status="completed")
    Operation.objects.filter(pk=made[2].pk).update(status="cancelled")
    Operation.objects.filter(pk=made[3].pk).update(kind="server.delete", workspace=other)
    answer = api(root).get(f"/v1/operations?ordering=created_at&{query}")
    assert [row["id"] for row in answer.json()] == [str(made[number].pk) for number in expected]


def test_it_picks_workspaces(api, root):
    make_workspaces(3)
    assert [row["name"] for row in api(root).get("/v1/workspaces?workspace=team-000001").json()] == ["team-000001"]
    names = [row["name"] for row in api(root).get("/v1/workspaces?ordering=-name").json()]
    assert names == ["team-000002", "team-000001", "team-000000"]


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_shows_times_cut_to_whole_seconds(api, root):
    """A time just before the next second stays in its own, in lists as in single answers."""
    make_servers(2)
    make_operations(2)
    make_workspaces(2)
    caller = api(root)
    assert [row["created_at"] for row in caller.get("/v1/servers").json()] == [shown(0), shown(1)]
    assert caller.get("/v1/servers/srv-000001/status").json()["created_at"] == shown(1)
    assert [row["updated_at"] for row in caller.get("/v1/operations?page=1").json()] == [shown(0), shown(1)]
    used = {row["name"]: row["last_used"] for row in caller.get("/v1/workspaces").json()}
    assert used == {"production": None, "team-000000": shown(0), "team-000001": shown(1)}


@pytest.mark.parametrize("text", TEXTS)
def test_it_keeps_every_letter(text, api, root, workspace):
    result = {"z": text, "a": {text: [text, 1, 1.5, True, None, {}]}}
    operation = Operation.objects.create(
        kind="x", workspace=workspace, status="failed", due_at=None, result=result, error=text
    )
    operation.events.create(seq=1, message=text, data={"text": text})
    server = make_servers(1, plan=text)[0]
    caller = api(root)
    for answer in (caller.get(f"/v1/operations/{operation.pk}"), caller.get("/v1/operations")):
        shown = json.loads(answer.content)
        [shown] = shown if isinstance(shown, list) else [shown]
        assert shown["error"] == text
        assert shown["result"] == result
        assert list(shown["result"]) == ["z", "a"]
    [event] = caller.get(f"/v1/operations/{operation.pk}/events").json()
    assert (event["message"], event["data"]) == (text, {"text": text})
    assert caller.get(f"/v1/servers/{server.pk}/status").json()["plan"] == text


def test_it_shows_addresses_of_both_kinds(api, root):
    for address in ("10.0.0.1", "2001:db8::1"):
        Server.objects.all().delete()
        [server] = make_servers(1, ip_address=address)
        assert api(root).get("/v1/servers").json()[0]["ip_address"] == address
        assert api(root).get(f"/v1/servers/{server.pk}/status").json()["ip_address"] == address


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("operations?status=fine", "pending, running, completed, failed, cancelled"),
        ("workflows?waiting=fine", "approval"),
        ("taskservs?health=fine", "unknown, healthy, degraded, unreachable"),
    ],
)
def test_it_names_the_values_of_a_filter_that_takes_few(api, alice, path, values):
    answer = api(alice).get(f"/v1/{path}")
    assert (answer.status_code, f"fine is not one of {values}." in answer.json()["message"]) == (400, True), (
        answer.json()
    )
