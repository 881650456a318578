"""A protected server is not deleted, whoever asks."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.refusals import refused


@pytest.fixture
def protected(up):
    server = up()
    Server.objects.update(protected=True)
    return server


@pytest.mark.parametrize("force", [False, True])
def test_it_says_how_to_lift_it(force, protected, api, alice, cloud, run_worker):
    body = refused(api(alice).delete(f"/v1/servers/{protected.id}", {"force": force}), 409)
    assert f"PATCH /v1/servers/{protected.id}" in body["message"]
    assert '{"protected": false}' in body["message"]
    run_worker()
    assert Server.objects.get().status == "running"
    assert len(cloud.servers()) == 1


def test_it_is_deleted_when_the_protection_is_lifted(protected, api, alice, cloud, run_worker):
    api(alice).patch(f"/v1/servers/{protected.id}", {"protected": False})
    assert api(alice).delete(f"/v1/servers/{protected.id}").status_code == 200
    run_worker()
    assert cloud.servers() == []


def test_force_takes_nothing_over_from_what_holds_it(create, api, alice, cloud, step, shown):
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    server = Server.objects.get()
    Server.objects.update(protected=True)
    refused(api(alice).delete(f"/v1/servers/{server.id}", {"force": True}), 409)
    assert shown(operation)["status"] == "running"


def test_a_cancelled_creation_is_taken_back_all_the_same(api, alice, body, cloud, step, run_worker):
    cloud.set(boot_seconds=0.5)
    operation = api(alice).post("/v1/servers", {**body, "protected": True}).json()
    step()
    api(alice).post(f"/v1/operations/{operation['id']}/cancel")
    run_worker()
    assert cloud.servers() == []
    assert not Server.objects.exists()


def test_a_protection_ends_no_deletion_that_has_begun(up, api, alice, cloud, run_worker):
    server = up()
    api(alice).delete(f"/v1/servers/{server.id}")
    refused(api(alice).patch(f"/v1/servers/{server.id}", {"protected": True}), 409)
    run_worker()
    assert not Server.objects.exists()
    assert Operation.objects.filter(kind="server.delete").get().status == "completed"
