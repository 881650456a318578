import threading

import pytest
from django.db import connection

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.models import IdempotencyRecord
from apps.taskservs.models import Taskserv
from tests.routes import routes


def create(client, body, key):
    return client.post("/v1/servers/create", body, HTTP_IDEMPOTENCY_KEY=key)


def test_it_answers_the_same_request_again_without_doing_it_again(api, alice, body):
    client = api(alice)
    first, second = create(client, body, "k1"), create(client, {**body}, "k1")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Server.objects.count() == Operation.objects.count() == 1


def test_it_answers_as_it_did_first_whatever_happened_since(api, alice, body, run_worker):
    client = api(alice)
    first = create(client, body, "k1").json()
    run_worker()
    assert create(client, body, "k1").json() == first


def test_it_refuses_the_key_for_another_request(api, alice, body):
    client = api(alice)
    create(client, body, "k1")
    answer = create(client, {**body, "hostname": "web-02"}, "k1")
    assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")
    assert Server.objects.count() == 1


def test_it_refuses_the_key_for_another_query(api, alice, account, body, run_worker):
    """A check must not pass for the deletion that follows it."""
    client = api(alice)
    create(client, body, "k1")
    run_worker()
    given = {"workspace": "production", "name": "redis", "servers": [body["hostname"]]}
    client.post("/v1/taskservs/create", given)
    run_worker()
    path = f"/v1/taskservs/{Taskserv.objects.get().pk}"
    assert client.delete(f"{path}?check_mode=true&purge=true", HTTP_IDEMPOTENCY_KEY="k2").status_code == 200
    assert client.delete(f"{path}?purge=true", HTTP_IDEMPOTENCY_KEY="k2").status_code == 409
    again = client.delete(f"{path}?purge=true&check_mode=true", HTTP_IDEMPOTENCY_KEY="k2")
    assert again["Idempotency-Replayed"] == "true"


def test_it_keeps_callers_apart(api, alice, root, body):
    create(api(alice), body, "k1")
    assert create(api(root), {**body, "hostname": "web-02"}, "k1").status_code == 200


def test_an_error_stores_nothing(api, alice, body):
    client = api(alice)
    assert create(client, {**body, "plan": "nonsense"}, "k1").status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert create(client, body, "k1").status_code == 200


def test_a_key_is_forgotten_after_a_day(api, alice, body):
    client = api(alice)
    create(client, body, "k1")
    IdempotencyRecord.objects.update(created_at="2020-01-01T00:00:00Z")
    assert create(client, body, "k1").status_code == 409  # it is done again, and the hostname is taken now


def test_it_replays_a_cancel(api, alice, body):
    client = api(alice)
    path = f"/v1/operations/{create(client, body, 'k1').json()['id']}/cancel"
    first, second = client.post(path, HTTP_IDEMPOTENCY_KEY="k2"), client.post(path, HTTP_IDEMPOTENCY_KEY="k2")
    assert first.json() == second.json()
    assert first.json()["status"] == "cancelled"
    assert client.post(path, HTTP_IDEMPOTENCY_KEY="k3").status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed", "ümlaut"])
def test_it_refuses_odd_keys(api, alice, body, key):
    answer = create(api(alice), body, key)
    assert (answer.status_code, list(answer.json()["details"])) == (400, ["Idempotency-Key"])


def test_it_needs_the_permission_all_the_same(api, alice, bob, body):
    create(api(alice), body, "k1")
    assert create(api(bob), body, "k1").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_sends_make_one_server(api, alice, body):
    answers, start = [], threading.Barrier(4)

    def send():
        client = api(alice)
        start.wait()
        answers.append(create(client, body, "k1"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Server.objects.count() == 1


@pytest.mark.parametrize("route", [route for route in routes() if route.method not in ("GET", "HEAD")], ids=str)
def test_every_change_is_declared_idempotent(route):
    assert getattr(route.view, route.action).is_idempotent
