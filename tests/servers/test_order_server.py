"""POST /v1/servers: everything that an order can say, beyond the documented creation."""

import json

import pytest
from django.core.management import call_command

from apps.operations.models import Event, Operation
from apps.servers.models import Server
from tests.refusals import refused

SECRET = "#cloud-config\nruncmd:\n\t- echo hush-hush\n"


@pytest.fixture
def order(api, alice, body):
    return lambda **more: api(alice).post("/v1/servers", {**body, **more})


@pytest.fixture
def ubuntu(account):
    """An image that is not the default one."""
    return account.images.order_by("position")[1].name


@pytest.fixture
def handed_over(cloud):
    """Whether the cloud has been given the user data: a rule that does no harm counts it."""
    cloud.fault("hang", body="hush-hush", seconds=0)
    return lambda: cloud.faults()[0]["times_left"] == 0


def test_it_needs_no_more_than_the_documented_creation(order, shown, cloud, run_worker):
    answer = order()
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["id", "status", "created_at", "updated_at", "result", "error"]
    run_worker()
    assert shown(answer.json())["status"] == "completed"
    assert len(cloud.servers()) == 1


def test_it_makes_the_machine_from_the_image(order, ubuntu, account, cloud, run_worker):
    assert order(image=ubuntu).status_code == 200
    run_worker()
    assert (Server.objects.get().image, Server.objects.get().status) == (ubuntu, "running")
    [disk] = cloud.disks()
    assert disk["origin"] == ubuntu


def test_it_hands_user_data_to_the_cloud_and_shows_it_to_nobody(order, api, alice, handed_over, run_worker):
    operation = order(user_data=SECRET).json()
    server = Server.objects.get()
    assert "hush" not in server.sealed_user_data
    run_worker()
    assert handed_over()
    seen = [api(alice).get(path).content for path in (f"/v1/servers/{server.id}", f"/v1/operations/{operation['id']}")]
    kept = [*Operation.objects.values_list("params", "state", "result"), *Event.objects.values_list("message", "data")]
    assert "hush" not in str(seen) + str(kept)


def test_a_machine_with_host_keys_in_its_user_data_gets_none_of_ours(order, cloud, run_worker):
    data = "#cloud-config\nssh_keys:\n  ed25519_private: |\n    hush-hush\n"
    order(user_data=data)
    run_worker()
    server = Server.objects.get()
    assert (server.status, server.ssh_host_key, server.ordered_host_key) == ("running", "", "")
    assert [event["user_data"] for event in cloud.creates()] == [data]


def test_it_notes_expiry_and_protection(order, api, alice):
    order(expires_at="2999-01-01T12:00:00.75+02:00", protected=True)
    seen = api(alice).get(f"/v1/servers/{Server.objects.get().id}").json()
    assert (seen["expires_at"], seen["protected"]) == ("2999-01-01T10:00:00Z", True)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image", "Debian GNU/Linux 13 (Trixy)", "Did you mean 0"),
        ("image", "\t", "control"),
        ("image", 5, "string"),
        ("user_data", "é" * 8193, "at most 16384 bytes"),
        ("user_data", "a\0b", "control"),
        ("user_data", "", "blank"),
        ("expires_at", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z has passed"),
        ("expires_at", "tomorrow", "Give a time in ISO 8601"),
        ("expires_at", 32503680000, "Give a time in ISO 8601"),
        ("expires_at", None, "null"),
        ("protected", "yes", "Give true or false"),
        ("protect", True, "Unknown field"),
    ],
)
def test_it_refuses_what_cannot_be(field, value, message, order):
    body = refused(order(**{field: value}), 400, "VALIDATION_ERROR", field=field)
    assert message in json.dumps(body["details"], ensure_ascii=False)
    assert not Server.objects.exists()
    assert not Operation.objects.exists()


def test_it_refuses_an_image_that_is_no_longer_offered(order, ubuntu, account):
    account.images.filter(name=ubuntu).update(retired_at="2020-01-01T00:00:00Z")
    assert "has no image" in refused(order(image=ubuntu), 400, field="image")["message"]


def test_the_documented_creation_takes_none_of_it(api, alice, body, ubuntu):
    for field, value in {
        "image": ubuntu,
        "user_data": "x",
        "expires_at": "2999-01-01T00:00:00Z",
        "protected": True,
    }.items():
        refused(api(alice).post("/v1/servers/create", {**body, field: value}), 400, field=field)


def test_check_mode_refuses_what_the_real_thing_would(order, cloud, run_worker):
    refused(order(check_mode=True, image="nonsense"), 400, field="image")
    assert order(check_mode=True, protected=True, expires_at="2999-01-01T00:00:00Z").status_code == 200
    run_worker()
    assert not cloud.creates()
    assert not Server.objects.exists()


def test_it_needs_the_permission(api, body, bob, charlie):
    refused(api(bob).post("/v1/servers", body), 403)
    refused(api(charlie).post("/v1/servers", body), 403)
    refused(api().post("/v1/servers", body), 401)


def test_it_acts_once_for_an_idempotency_key(api, alice, body):
    sent = [api(alice).post("/v1/servers", body, HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2)]
    assert sent[0].json() == sent[1].json()
    assert Server.objects.count() == 1


def test_new_keys_can_still_open_the_user_data(order, handed_over, settings, run_worker):
    order(user_data=SECRET)
    settings.CREDENTIALS_KEYS = ["new-key", settings.SECRET_KEY]
    call_command("rotate_secrets")
    settings.CREDENTIALS_KEYS = ["new-key"]
    run_worker()
    assert handed_over()
