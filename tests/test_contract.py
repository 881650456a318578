"""Holds the service to docs/api-reference.txt: each endpoint's documented request gets the documented response."""

import json
import re

import pytest
from django.contrib.auth.models import Group, Permission

from apps.accounts.models import User
from apps.operations.models import Operation
from tests.reference import REFERENCE, endpoints

ENDPOINTS = endpoints()
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.permission]
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
PLACEHOLDER = {"server": "srv-abc123", "taskserv": "tsk-xyz789", "id": "550e8400-e29b-41d4-a716-446655440000"}
ROLES = {
    "viewer": {item.permission for item in GUARDED if item.permission.endswith("_read")},
    "operator": {item.permission for item in GUARDED} - {"workspace_create"},
    "admin": {item.permission for item in GUARDED},
}
ROLES["developer"] = ROLES["viewer"] | {"taskserv_create", "workflow_submit"}

# ── what has to be there before each documented request: (stage) → what replaces {id} and the documented ids ─────────
SCENARIOS = {}


def before(*names):
    def note(scenario):
        SCENARIOS.update(dict.fromkeys(names, scenario))
        return scenario

    return note


class Stage:
    """Makes what a request needs, through the API itself."""

    def __init__(self, api, root, run_worker):
        self.api, self.run_worker = api(root), run_worker

    def post(self, path):
        documented = next(item for item in ENDPOINTS if str(item) == f"POST {path}")
        return self.send("post", path, documented.request)

    def send(self, method, path, body=None):
        answer = getattr(self.api, method)(path, body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def servers(self):
        """Run the two servers that the reference's taskserv is installed on."""
        create = next(item for item in ENDPOINTS if str(item) == "POST /v1/servers/create")
        for hostname in ("web-01", "web-02"):
            self.send("post", "/v1/servers/create", create.request | {"hostname": hostname})
        self.run_worker()
        return [server["id"] for server in self.send("get", "/v1/servers")]


@before(
    "POST /v1/auth/login", "POST /v1/workspaces/create", "GET /health", "GET /v1/metrics", "POST /v1/servers/create"
)
@before("POST /v1/workflows/submit")
def nothing(stage):
    return None


@before("POST /v1/auth/refresh")
def a_login(stage):
    return stage.post("/v1/auth/login")["refresh_token"]


@before("GET /v1/servers", "GET /v1/servers/{id}/status", "DELETE /v1/servers/{id}", "POST /v1/taskservs/create")
def running_servers(stage):
    return stage.servers()[0]


@before("GET /v1/taskservs", "DELETE /v1/taskservs/{id}")
def a_taskserv(stage):
    stage.servers()
    operation = stage.post("/v1/taskservs/create")
    stage.run_worker()
    ended = stage.send("get", f"/v1/operations/{operation['id']}")
    assert ended["status"] == "completed", ended
    return ended["result"]["taskserv_id"]


@before("GET /v1/workflows/{id}", "POST /v1/workflows/{id}/cancel")
def a_workflow(stage):
    return stage.post("/v1/workflows/submit")["id"]


@before("POST /v1/operations/{id}/cancel")
def a_pending_operation(stage):
    return stage.post("/v1/servers/create")["id"]


@before("GET /v1/operations/{id}")
def a_creation(stage):
    operation = stage.post("/v1/servers/create")["id"]
    stage.run_worker()
    return operation


@before("GET /v1/operations")
def a_deletion(stage):
    server = stage.servers()[0]
    Operation.objects.all().delete()
    stage.send("delete", f"/v1/servers/{server}")
    stage.run_worker()


@before("GET /v1/workspaces")
def a_used_workspace(stage):
    stage.post("/v1/servers/create")


# ── comparing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def shape(value, name=""):
    """Return keys in their order, and the type of each value; a time is a type of its own."""
    if isinstance(value, dict):
        return [(key, shape(item, key)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str) and (name.endswith("_at") or name == "last_used"):
        return "time" if TIME.fullmatch(value) else f"not a time: {value}"
    return "null" if value is None else type(value).__name__


def put_in(value, real):
    """Replace the documented ids and tokens of a request by real ones."""
    if isinstance(value, dict):
        given = {"server_id", "taskserv_id", "refresh_token"}
        return {key: real if key in given else item for key, item in value.items()}
    return value


@pytest.fixture
def stage(api, root, account, run_worker):
    admin = User.objects.create_user("admin", password="admin123")
    admin.groups.add(Group.objects.get(name="admin"))
    return Stage(api, root, run_worker)


@pytest.fixture
def holder(db):
    """Return a user who has only these permissions."""

    def make(*codenames):
        user = User.objects.create_user("holder")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        return user

    return make


def documented_path(endpoint):
    kind = endpoint.path.split("/")[2].removesuffix("s") if endpoint.path.startswith("/v1/") else ""
    return endpoint.path.replace("{id}", PLACEHOLDER.get(kind, PLACEHOLDER["id"]))


# ── the tests ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_covers_every_endpoint_of_the_reference():
    headings = re.findall(r"^(?:GET|POST|PUT|PATCH|DELETE) /.*$", REFERENCE.read_text(), re.MULTILINE)
    assert sorted(map(str, ENDPOINTS)) == sorted(headings)
    assert sorted(SCENARIOS) == sorted(headings)
    assert len(headings) == 19


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_it_answers_the_documented_request_in_the_documented_shape(endpoint, stage, api, holder):
    real = SCENARIOS[str(endpoint)](stage)
    caller = api(holder(endpoint.permission)) if endpoint.permission else api()
    body = put_in(endpoint.request, real)
    answer = caller.generic(
        endpoint.method,
        endpoint.path.replace("{id}", str(real)),
        json.dumps(body) if body is not None else b"",
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/json"
    content = b"".join(answer) if answer.streaming else answer.content
    assert shape(json.loads(content)) == shape(endpoint.response)


@pytest.mark.parametrize("endpoint", GUARDED, ids=str)
def test_it_names_the_documented_permission_to_whoever_has_all_but_that(endpoint, api, holder):
    user = holder(*(ROLES["admin"] - {endpoint.permission}))
    answer = api(user).generic(endpoint.method, documented_path(endpoint), json.dumps(endpoint.request or {}))
    assert answer.status_code == 403
    assert list(answer.json()) == ["error", "message", "code"]
    assert (answer.json()["error"], answer.json()["code"]) == ("FORBIDDEN", "403")
    assert endpoint.permission in answer.json()["message"].replace(".", " ").split()


@pytest.mark.parametrize("endpoint", GUARDED, ids=str)
def test_it_asks_nobody_for_a_token(endpoint, api, db):
    answer = api().generic(endpoint.method, documented_path(endpoint), json.dumps(endpoint.request or {}))
    assert answer.status_code == 401
    assert list(answer.json()) == ["error", "message", "code"]
    assert (answer.json()["error"], answer.json()["code"]) == ("UNAUTHORIZED", "401")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("endpoint", [item for item in GUARDED if "{id}" in item.path], ids=str)
def test_it_does_not_find_what_is_not_there(endpoint, api, root, workspace):
    answer = api(root).generic(
        endpoint.method,
        documented_path(endpoint),
        json.dumps(endpoint.request or {}),
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (404, "NOT_FOUND", "404")


@pytest.mark.parametrize("role", sorted(ROLES))
def test_it_gives_each_role_its_permissions_and_no_others(role, db):
    held = set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))
    assert held & ROLES["admin"] == ROLES[role]
    assert held == ROLES[role] or role == "admin"  # who also runs the admin site


def test_it_names_fourteen_permissions():
    assert len(ROLES["admin"]) == 14
