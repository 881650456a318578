"""Which AMI a name means: the maker's own, the newest, in the machine's region; or one of the account's."""

import pytest

from apps.providers.drivers.base import ProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.aws import REGION
from tests.providers.test_every_driver.patience import raises

pytestmark = on_stages("aws")


@pytest.fixture
def own(stage):
    """An AMI that the account has made."""
    mapping = {"DeviceName": "/dev/sdz", "Ebs": {"VolumeSize": 8}}
    facts = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/sdz"}
    return stage.ec2.register_image(Name="golden", BlockDeviceMappings=[mapping], **facts)["ImageId"]


def test_it_offers_what_its_makers_publish(driver):
    assert [(image.name, image.title) for image in driver.images()] == [
        ("debian-12", "Debian 12 (bookworm)"),
        ("debian-13", "Debian 13 (trixie)"),
        ("ubuntu-24.04", "Ubuntu 24.04 (noble)"),
    ]


@pytest.mark.parametrize(
    ("image", "ami", "device"),
    [
        ("", "ami-0deb0120000000002", "/dev/xvda"),
        ("debian-12", "ami-0deb0120000000002", "/dev/xvda"),
        ("ubuntu-24.04", "ami-0ca02404000000002", "/dev/sda1"),
        ("ami-0deb0120000000001", "ami-0deb0120000000001", "/dev/xvda"),
    ],
)
def test_it_takes_the_newest_of_its_maker(stage, driver, image, ami, device):
    instance = stage.instance(driver.create(stage.spec(image=image)).ref)
    assert instance["ImageId"] == ami
    assert [disk["DeviceName"] for disk in instance["BlockDeviceMappings"]] == [device]


def test_it_makes_a_machine_from_an_image_of_the_account_s_own(stage, driver, own):
    assert stage.instance(driver.create(stage.spec(image=own)).ref)["ImageId"] == own


@pytest.mark.parametrize("image", ["debian-11", "ubuntu-22.04", "ami-0000000000000000f", "ami-*", "golden"])
def test_it_refuses_an_image_that_is_not_there(stage, driver, image):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec(image=image))
    assert stage.orders() == 0


def test_it_gives_a_disk_no_smaller_than_the_image(stage, driver):
    [disk] = driver.create(stage.spec(disk_gib=0)).disks
    [volume] = stage.ec2.describe_volumes(VolumeIds=[disk])["Volumes"]
    [image] = stage.ec2.describe_images(ImageIds=["ami-0deb0120000000002"])["Images"]
    assert volume["Size"] == image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] > 8
    assert REGION in volume["AvailabilityZone"]
