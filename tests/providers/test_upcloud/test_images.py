"""Which of UpCloud's templates the driver offers, and what it makes of the one that is ordered."""

from dataclasses import replace

import pytest

from apps.providers.drivers.base import Image, ProviderError, TransientProviderError
from apps.providers.drivers.upcloud import machines
from tests.providers.cloud import DEBIAN
from tests.providers.test_upcloud.driver_helpers import SPEC, raises
from tests.providers.test_upcloud.script import answer, raised

UBUNTU = "01000000-0000-4000-8000-000030240200"
NEXT = {"uuid": "01000000-0000-4000-8000-000000000001", "title": "Any Linux", "template_type": "cloud-init"}


def test_it_offers_what_cloud_init_sets_up_debian_12_first(driver):
    images = driver.images()
    assert images[0] == Image(name=DEBIAN, title="Debian GNU/Linux 12 (Bookworm)")
    titles = [image.title for image in images[1:]]
    assert titles == sorted(titles)
    assert any("Ubuntu Server 24.04" in title for title in titles)
    assert not [title for title in titles if "Windows" in title or "K8s" in title or "Debian" in title]


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, True),
        ({"license": 0}, True),
        ({"template_type": None}, True),  # as a private one has it
        ({"template_type": "native"}, False),
        ({"license": 1.8452}, False),
        ({"title": "UpCloud K8s 1.31 node"}, False),
        ({"uuid": None}, False),
    ],
)
def test_it_leaves_out_what_makes_no_free_linux_server(changes, offered):
    template = {name: value for name, value in (NEXT | changes).items() if value is not None}
    assert [image.name for image in machines.images([template])] == ([NEXT["uuid"]] if offered else [])


def test_it_names_a_template_without_a_title_by_its_id():
    [image] = machines.images([{"uuid": NEXT["uuid"]}])
    assert image.title == image.name == NEXT["uuid"]


def test_it_takes_a_short_list_of_templates_for_an_error(script, scripted):
    script.answers = [answer(200, {"storages": {"storage": [NEXT]}}, Upcloud_Total_Count=2)]
    assert raised(scripted.images) == (TransientProviderError, "PROVIDER_UNAVAILABLE")


def test_it_clones_the_template_that_was_ordered(cloud, driver):
    driver.create(replace(SPEC, image=UBUNTU))
    driver.create(SPEC)
    assert sorted(disk["origin"] for disk in cloud.disks()) == sorted([UBUNTU, DEBIAN])


def test_it_is_refused_a_private_template_in_another_zone(cloud, driver):
    private = next(image for image in driver.images() if image.title == "our golden image")
    assert driver.create(replace(SPEC, image=private.name, zone="de-fra1"))
    with raises(ProviderError, "PROVIDER_INVALID") as caught:
        driver.create(replace(SPEC, image=private.name, zone="fi-hel1"))
    assert caught.value.data["cloud_code"] == "ZONE_MISMATCH"
    assert len(cloud.creates()) == 1
