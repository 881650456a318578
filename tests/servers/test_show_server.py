"""GET /v1/servers/{id}: everything that is known of a server."""

import pytest

from apps.servers.models import Server
from tests.refusals import refused

DOCUMENTED = ["id", "hostname", "provider", "plan", "zone", "ip_address", "status", "created_at"]


@pytest.fixture
def show(api, bob):
    return lambda server: api(bob).get(f"/v1/servers/{getattr(server, 'id', server)}")


def test_it_begins_with_the_documented_keys(up, show, api, bob):
    server = up()
    seen = show(server).json()
    assert list(seen) == [
        *DOCUMENTED,
        *("workspace", "account", "size", "image", "tags", "ssh_port", "emulated", "backed"),
        *("protected", "expires_at", "drift", "operation"),
    ]
    documented = api(bob).get(f"/v1/servers/{server.id}/status").json()
    assert {key: seen[key] for key in DOCUMENTED} == documented


def test_it_shows_the_rest(up, show):
    seen = show(up()).json()
    assert (seen["workspace"], seen["account"], seen["tags"]) == ("production", "default", ["web", "production"])
    assert (seen["ssh_port"], seen["emulated"], seen["protected"]) == (22, True, False)
    assert (seen["expires_at"], seen["drift"], seen["operation"]) == (None, None, None)


def test_it_names_the_operation_that_holds_it(create, show, run_worker):
    operation = create()
    server = Server.objects.get()
    assert show(server).json()["operation"] == operation["id"]
    run_worker()
    assert show(server).json()["operation"] is None


def test_it_shows_how_the_machine_has_drifted(up, show):
    server = up()
    Server.objects.update(drift="stopped", drift_note="It was stopped.", drift_seen_at="2026-01-02T03:04:05.6Z")
    seen = show(server).json()["drift"]
    assert seen == {"kind": "stopped", "note": "It was stopped.", "seen_at": "2026-01-02T03:04:05Z"}
    assert list(seen) == ["kind", "note", "seen_at"]


@pytest.mark.parametrize("id", ["srv-unknown", "tsk-abc", "srv-", "SRV-ABC", "1"])
def test_it_does_not_find_what_is_not_there(id, show, workspace):
    refused(show(id), 404)


def test_it_asks_the_database_once(up, show, django_assert_num_queries):
    server = up()
    show(server)
    with django_assert_num_queries(3):  # token, permissions, and the server
        assert show(server).status_code == 200


def test_it_needs_the_permission(up, api, charlie):
    path = f"/v1/servers/{up().id}"
    refused(api(charlie).get(path), 403)
    refused(api().get(path), 401)
