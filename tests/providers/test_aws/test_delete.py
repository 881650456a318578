"""AWS's machines go with their disks, and nothing else goes."""

import pytest

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.moto_server import refusal
from tests.providers.test_every_driver.patience import gone, raises

pytestmark = on_stages("aws")
DESCRIBE = "Action=DescribeInstances&Version=2016-11-15&InstanceId"


def volume(stage, **marks):
    """Make a disk past the driver, with these tags."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in marks.items()]}]
    given = {"AvailabilityZone": stage.zone, "Size": 10, "TagSpecifications": tags if marks else []}
    return stage.ec2.create_volume(**given)["VolumeId"]


def ours(server_id="srv-abc123", installation="inst-1"):
    return {"prov-managed": "1", "prov-install": installation, "prov-machine": server_id}


def attach(stage, disk, ref):
    stage.ec2.attach_volume(VolumeId=disk, InstanceId=ref.partition("/")[2], Device="/dev/sdf")


@pytest.fixture
def machine(stage, driver):
    return driver.get(driver.create(stage.spec()).ref)


def test_it_deletes_a_disk_that_outlived_its_machine(stage, driver, machine):
    left = volume(stage, **ours())
    assert driver.delete(machine.ref, server_id="srv-abc123") is False
    assert driver.delete(machine.ref, server_id="srv-abc123") is False
    assert driver.delete(machine.ref, server_id="srv-abc123") is True
    assert left not in stage.disks() and stage.leftovers() == []


def test_it_keeps_disks_that_are_not_the_machine_s_own(stage, driver, machine):
    kept = {
        volume(stage),
        volume(stage, **ours(server_id="srv-abc1234")),
        volume(stage, **ours(installation="inst-2")),
        volume(stage, **{"prov-machine": "srv-abc123"}),
        volume(stage, **{"prov-machine": "srv-abc123", "prov-install": "inst-1"}),
    }
    data = volume(stage)
    attach(stage, data, machine.ref)
    disks = driver.get(machine.ref).disks
    assert data in disks
    gone(driver, machine.ref, disks=disks)
    assert set(stage.disks()) == kept | {data}


def test_it_hands_a_disk_that_moved_to_another_machine_to_a_person(stage, driver, machine):
    moved = volume(stage, **ours())
    attach(stage, moved, stage.make_stranger())
    driver.delete(machine.ref, server_id="srv-abc123")
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(machine.ref, server_id="srv-abc123")
    assert moved in stage.disks()


def test_it_does_not_overrule_a_protection_against_termination(stage, driver, machine):
    protected = {"InstanceId": machine.ref.partition("/")[2], "DisableApiTermination": {"Value": True}}
    stage.ec2.modify_instance_attribute(**protected)
    with raises(ProviderError, "PROVIDER_FORBIDDEN") as caught:
        driver.delete(machine.ref, server_id="srv-abc123")
    assert caught.value.data["cloud_code"] == "OperationNotPermitted"
    assert stage.refs() == [machine.ref]


def test_it_believes_in_no_absence_while_there_is_a_disk(stage, driver, machine):
    denial = {"status": 400, "text": refusal("InvalidInstanceID.NotFound"), "content_type": "text/xml"}
    stage.proxy.fault("respond", body=DESCRIBE, times=2, **denial)
    with raises(TransientProviderError, "PROVIDER_BUSY"):
        driver.get(machine.ref)
    with raises(TransientProviderError, "PROVIDER_BUSY"):
        driver.delete(machine.ref, server_id="srv-abc123")
    assert driver.get(machine.ref) == machine


def test_it_takes_no_answer_about_another_machine(stage, driver, machine):
    other = driver.create(stage.spec(server_id="srv-2", order="second"))
    swap = {ref.partition("/")[2].encode(): stage for ref in (machine.ref, other.ref)}
    mine, theirs = swap
    stage.proxy.fault("edit", body=DESCRIBE, change=lambda body: body.replace(mine, theirs))
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.get(machine.ref)


def test_it_takes_a_list_with_a_nameless_machine_for_an_error(stage, driver, machine):
    name = machine.ref.partition("/")[2].encode()
    stage.proxy.fault("edit", times=2, body="Action=DescribeInstances&", change=lambda body: body.replace(name, b""))
    for read in (driver.list, lambda: driver.find("srv-abc123")):
        with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
            read()


def test_it_asks_once_for_what_is_on_its_way(stage, driver, machine):
    going = (b"<name>running</name>", b"<name>shutting-down</name>")
    stage.proxy.fault("edit", body=DESCRIBE, times=1, change=lambda body: body.replace(*going))
    assert driver.delete(machine.ref, server_id="srv-abc123") is False
    assert stage.proxy.calls(body="Action=TerminateInstances&") == []
    assert stage.refs() == [machine.ref]
