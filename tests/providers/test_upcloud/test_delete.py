"""The UpCloud driver takes a machine away, step by step, and leaves nothing of it and everything else."""

from dataclasses import replace

import pytest

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.test_upcloud.driver_helpers import NOWHERE, OURS, SPEC, gone, opened, raises


def test_it_deletes_a_machine_step_by_step_with_its_disks(cloud, driver, running):
    assert gone(driver, running) == 3
    assert cloud.servers() == [] and cloud.disks() == []
    assert gone(driver, running) == 1
    assert len(cloud.deletes()) == 1


def test_it_waits_for_a_machine_that_takes_its_time(cloud, driver, running):
    cloud.set(stop_seconds=0.5)
    assert driver.delete(running.ref, server_id="srv-abc123") is False
    assert driver.delete(running.ref, server_id="srv-abc123") is False
    assert len(cloud.servers()) == 1
    cloud.set(stop_seconds=0)
    cloud.reset()
    assert gone(driver, running) == 1


def test_it_leaves_a_booting_machine_alone_until_it_can_be_stopped(cloud, driver):
    cloud.set(boot_seconds=60)
    made = driver.create(SPEC)
    assert driver.delete(made.ref, server_id="srv-abc123", disks=made.disks) is False
    assert cloud.calls("POST", r"/stop$") == 0


@pytest.mark.parametrize(("method", "path"), [("POST", r"/stop$"), ("DELETE", r"/server/[^/]+$")])
@pytest.mark.parametrize("commit", [True, False])
def test_it_goes_on_after_any_lost_answer(cloud, driver, running, method, path, commit):
    cloud.lose_next_answer(method=method, path=path, commit=commit)
    if method == "DELETE":
        assert driver.delete(running.ref, server_id="srv-abc123") is False
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        driver.delete(running.ref, server_id="srv-abc123")
    gone(driver, running)
    assert cloud.servers() == [] and cloud.disks() == [] and len(cloud.deletes()) == 1


@pytest.mark.parametrize("code", ["SERVER_STATE_ILLEGAL", "STORAGE_STATE_ILLEGAL", "SERVER_NOT_FOUND"])
def test_it_takes_a_conflict_or_an_absence_for_progress(cloud, driver, running, code):
    status = 404 if code.endswith("FOUND") else 409
    cloud.refuse_next(code, status, path=r"/stop$")
    cloud.refuse_next(code, status, method="DELETE", path=r"/server/[^/]+$")
    assert gone(driver, running) == 5
    assert cloud.servers() == [] and cloud.disks() == []


@pytest.mark.parametrize("known", [True, False])
def test_it_deletes_the_disks_that_outlived_their_machine(cloud, driver, running, known):
    driver.stop(running.ref)
    assert cloud.request("DELETE", f"/server/{running.ref}").status_code == 204
    assert len(cloud.disks()) == 1
    cloud.lose_next_answer(method="DELETE", path=r"/storage/[^/]+$", commit=False)
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        driver.delete(running.ref, server_id="srv-abc123")
    assert gone(driver, running, disks=running.disks if known else ()) == 2
    assert cloud.disks() == []


def test_it_does_not_call_it_done_on_a_short_list_of_disks(cloud, driver, running):
    driver.stop(running.ref)
    cloud.request("DELETE", f"/server/{running.ref}")
    cloud.shorten_next_list(path=r"/storage/private/?$")
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.delete(running.ref, server_id="srv-abc123")
    assert gone(driver, running, disks=()) == 2


def test_it_keeps_the_disks_of_a_second_machine_for_the_same_server(cloud, driver, running):
    twin = driver.create(SPEC)
    gone(driver, twin)
    assert [machine.ref for machine in driver.find("srv-abc123")] == [running.ref]
    assert [disk["uuid"] for disk in cloud.disks()] == list(running.disks)


def test_it_keeps_disks_that_only_look_alike(cloud, driver, running):
    other = driver.create(replace(SPEC, server_id="srv-abc1234"))
    elsewhere = opened(cloud, installation="inst-2")
    foreign = elsewhere.create(SPEC)
    elsewhere.close()
    for ref in (other.ref, foreign.ref):
        cloud.request("POST", f"/server/{ref}/stop", json={"stop_server": {"stop_type": "hard"}})
        assert cloud.request("DELETE", f"/server/{ref}").status_code == 204
    gone(driver, running)
    assert {disk["uuid"] for disk in cloud.disks()} == {*other.disks, *foreign.disks}


def test_it_hands_a_disk_that_moved_to_another_machine_to_a_person(cloud, driver, running):
    disk = running.disks[0]
    gone(driver, running)
    moved = {"storage": {"uuid": disk, "title": "data", "servers": {"server": [NOWHERE]}}}
    cloud.respond_next(200, json=moved, method="GET", path=rf"/storage/{disk}$")
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(running.ref, server_id="srv-abc123", disks=(disk,))
    assert cloud.calls("DELETE", r"/storage/") == 0


@pytest.mark.parametrize(
    "labels",
    [{}, OURS | {"prov-machine": "srv-abc1234"}, OURS | {"prov-install": "inst-2"}, {"prov-machine": "srv-abc123"}],
)
def test_it_refuses_to_delete_what_does_not_carry_its_labels(cloud, driver, labels):
    other = cloud.create(labels=labels)["uuid"]
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(other, server_id="srv-abc123")
    assert [server["state"] for server in cloud.servers()] == ["started"]
    assert cloud.calls("POST", r"/stop$") == 0 and cloud.deletes() == []


def test_it_stops_deleting_when_it_may_not(cloud, driver, running):
    cloud.refuse_next("SERVER_FORBIDDEN", 403, path=r"/stop$")
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(running.ref, server_id="srv-abc123")


def test_it_deletes_though_the_credit_is_gone(cloud, driver, running):
    cloud.set(initial_credits=0)
    with raises(ProviderError, "PROVIDER_BILLING"):
        driver.create(replace(SPEC, server_id="srv-2"))
    gone(driver, running)
    assert cloud.servers() == []
