"""What creating, deleting and cancelling refuse, and that a refusal changes nothing."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workspaces.models import Workspace
from tests.refusals import refused

NAMES = [
    "web 01",
    "-web",
    "web-",
    "web_01",
    "web..01",
    ".web",
    "web.",
    "wéb",
    "a" * 64,
    ".".join(["a" * 63] * 4),
    "web/01",
    "0",
]


@pytest.fixture
def create(api, alice, body):
    return lambda **changes: api(alice).post("/v1/servers/create", body | changes)


@pytest.fixture
def server(create, run_worker):
    create()
    run_worker()
    return Server.objects.get()


def nothing_was_made():
    return not Server.objects.exists() and not Operation.objects.exists()


@pytest.mark.parametrize("field", ["workspace", "provider", "plan", "zone"])
def test_it_refuses_an_unknown_name_and_says_which(field, create):
    refused(create(**{field: "unknown"}), 400, "VALIDATION_ERROR", field=field)
    refused(create(**{field: "unknown", "check_mode": True}), 400, "VALIDATION_ERROR", field=field)
    assert nothing_was_made()


@pytest.mark.parametrize("hostname", NAMES)
def test_it_refuses_what_is_no_host_name(hostname, create):
    refused(create(hostname=hostname), 400, "VALIDATION_ERROR", field="hostname")
    assert nothing_was_made()


@pytest.mark.parametrize("hostname", ["web", "WEB-01.example.com", "0a", "a" * 63])
def test_it_takes_host_names(hostname, create):
    assert create(hostname=hostname).status_code == 200
    assert Server.objects.get().hostname == hostname


@pytest.mark.parametrize(
    "tags", [["a b"], [""], ["é"], ["-a"], ["a" * 64], ['"'], [str(number) for number in range(21)]]
)
def test_it_refuses_bad_tags(tags, create):
    refused(create(tags=tags), 400, "VALIDATION_ERROR", field="tags")
    assert nothing_was_made()


def test_it_needs_neither_check_mode_nor_tags(api, alice, body):
    del body["check_mode"], body["tags"]
    assert api(alice).post("/v1/servers/create", body).status_code == 200
    assert Server.objects.get().tags == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_it_refuses_a_host_name_that_is_taken(check_mode, create):
    create()
    for hostname in ("web-01", "WEB-01"):
        assert "web-01" in refused(create(hostname=hostname, check_mode=check_mode), 409)["message"].lower()
    assert Server.objects.count() == Operation.objects.count() == 1


def test_it_takes_the_host_name_in_another_workspace(create):
    Workspace.objects.create(name="staging", path="/staging")
    assert create().status_code == create(workspace="staging").status_code == 200


def test_it_lists_nothing_in_check_mode(create, api, alice, run_worker):
    operation = create(check_mode=True).json()
    assert api(alice).get("/v1/servers").json() == []
    run_worker()
    result = api(alice).get(f"/v1/operations/{operation['id']}").json()["result"]
    assert list(result) == ["check_mode", "changes", "price"]
    assert result["check_mode"] is True and isinstance(result["changes"], list) and isinstance(result["price"], dict)
    assert not Server.objects.exists()


# ── deleting ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"server_id": "srv-other"}, 400),
        ({"workspace": "staging"}, 404),
        ({"workspace": "nowhere"}, 404),
        ({"force": "true"}, 400),
        ({"force": True, "server_id": ""}, 400),
    ],
)
def test_it_refuses_a_body_that_means_another_server(given, status, server, api, alice):
    Workspace.objects.create(name="staging", path="/staging")
    refused(api(alice).delete(f"/v1/servers/{server.pk}", given), status)
    assert api(alice).get(f"/v1/servers/{server.pk}/status").json()["status"] == "running"
    assert Operation.objects.count() == 1


def test_it_needs_no_body(server, api, alice):
    assert api(alice).delete(f"/v1/servers/{server.pk}").status_code == 200


def test_it_names_the_operation_that_holds_the_server(create, api, alice):
    operation = create().json()["id"]
    path = f"/v1/servers/{Server.objects.get().pk}"
    assert operation in refused(api(alice).delete(path), 409, "CONFLICT")["message"]


def test_it_is_gone_when_it_is_deleted(server, api, alice, run_worker):
    path = f"/v1/servers/{server.pk}"
    api(alice).delete(path)
    assert api(alice).get(f"{path}/status").json()["status"] == "deleting"
    run_worker()
    assert api(alice).get("/v1/servers").json() == []
    refused(api(alice).get(f"{path}/status"), 404)
    refused(api(alice).delete(path), 404)


# ── cancelling ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_cancels_what_is_pending_at_once(create, api, alice):
    operation = create().json()["id"]
    answer = api(alice).post(f"/v1/operations/{operation}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert api(alice).get("/v1/servers").json() == []


def test_it_does_not_cancel_what_has_ended(server, api, alice):
    operation = Operation.objects.get().pk
    assert "completed" in refused(api(alice).post(f"/v1/operations/{operation}/cancel"), 409, "CONFLICT")["message"]
    api(alice).delete(f"/v1/servers/{server.pk}")
    pending = Operation.objects.get(status="pending").pk
    assert api(alice).post(f"/v1/operations/{pending}/cancel").status_code == 200
    refused(api(alice).post(f"/v1/operations/{pending}/cancel"), 409, "CONFLICT")
