"""PATCH /v1/servers/{id}: protection and expiry."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.refusals import refused

LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def change(api, alice):
    return lambda server, body, **more: api(alice).patch(f"/v1/servers/{getattr(server, 'id', server)}", body, **more)


def test_it_answers_the_server_as_it_then_is(up, change, api, alice):
    server = up()
    answer = change(server, {"protected": True, "expires_at": LATER})
    assert (answer.status_code, answer.json()["protected"], answer.json()["expires_at"]) == (200, True, LATER)
    assert answer.json() == api(alice).get(f"/v1/servers/{server.id}").json()
    assert Operation.objects.filter(target=server.target).count() == 1  # its creation: a change of the row is none


def test_it_leaves_alone_what_is_not_given(up, change):
    server = up()
    change(server, {"protected": True, "expires_at": LATER})
    assert change(server, {"protected": False}).json()["expires_at"] == LATER
    change(server, {"protected": True})
    assert change(server, {"expires_at": None}).json()["protected"] is True
    assert Server.objects.get().expires_at is None
    assert change(server, {}).json()["protected"] is True


def test_it_takes_back_the_expiry_that_it_shows_even_when_that_has_passed(up, change):
    server = up()
    Server.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert change(server, {"protected": True, "expires_at": "2020-01-01T00:00:00Z"}).status_code == 200


def test_it_works_while_an_operation_holds_the_server(create, change):
    create()
    assert change(Server.objects.get(), {"protected": True}).json()["status"] == "pending"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"protected": None}, "protected"),
        ({"protected": 1}, "protected"),
        ({"hostname": "web-02"}, "hostname"),
    ],
)
def test_it_refuses_what_cannot_be(asked, field, up, change):
    server = up()
    refused(change(server, asked), 400, "VALIDATION_ERROR", field=field)
    assert not Server.objects.get().protected


def test_it_refuses_a_server_that_is_being_deleted(up, change, api, alice):
    server = up()
    api(alice).delete(f"/v1/servers/{server.id}")
    refused(change(server, {"protected": True}), 409)


def test_no_change_is_refused_by_no_state(up, change, api, alice):
    server = up()
    api(alice).delete(f"/v1/servers/{server.id}")
    answer = change(server, {})
    assert (answer.status_code, answer.json()["status"]) == (200, "deleting")


def test_it_does_not_find_what_is_not_there(change, workspace):
    refused(change("srv-unknown", {"protected": True}), 404)


def test_it_needs_the_permission(up, api, bob, charlie):
    path = f"/v1/servers/{up().id}"
    refused(api(bob).patch(path, {"protected": True}), 403)
    refused(api(charlie).patch(path, {"protected": True}), 403)
    refused(api().patch(path, {"protected": True}), 401)


def test_it_acts_once_for_an_idempotency_key(up, change):
    server = up()
    first = change(server, {"protected": True}, HTTP_IDEMPOTENCY_KEY="k1")
    change(server, {"protected": False})
    again = change(server, {"protected": True}, HTTP_IDEMPOTENCY_KEY="k1")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert not Server.objects.get().protected
    refused(change(server, {"protected": False}, HTTP_IDEMPOTENCY_KEY="k1"), 409)
