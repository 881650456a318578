"""The UpCloud driver reboots what runs, and the official client sees it happen."""

import json
import time

import pytest
from upcloud_api import CloudManager

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.test_upcloud.driver_helpers import NOWHERE, raises
from tests.providers.test_upcloud.script import answer, servers


@pytest.fixture
def witness(cloud):
    manager = CloudManager(token=cloud.token)
    manager.api.api_root = cloud.url
    return manager


def until(question, seconds=10):
    ends = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_it_goes_down_and_comes_up_the_same(cloud, driver, running, witness):
    cloud.set(boot_seconds=2)
    driver.reboot(running.ref)
    until(lambda: witness.get_server(running.ref).state == "maintenance")
    until(lambda: witness.get_server(running.ref).state == "started")
    assert driver.get(running.ref) == running
    assert len(cloud.events("restart")) == 1


def test_it_lets_the_machine_shut_down_softly_for_a_minute(script, scripted):
    [server] = servers(1)
    script.answers = [answer(200, {"server": server}), answer(200, {"server": server})]
    scripted.reboot(server["uuid"])
    head, body = script.requests[1]
    assert head.startswith(f"POST /1.3/server/{server['uuid']}/restart ")
    assert json.loads(body) == {"restart_server": {"stop_type": "soft", "timeout": "60", "timeout_action": "destroy"}}


def test_it_does_not_send_a_second_one_while_the_first_is_under_way(cloud, driver, running):
    cloud.set(boot_seconds=2)
    driver.reboot(running.ref)
    until(lambda: driver.get(running.ref).state == "starting")
    driver.reboot(running.ref)
    assert len(cloud.events("restart")) == 1


def test_it_asks_again_when_the_machine_cannot_be_rebooted_just_now(cloud, driver, running):
    cloud.refuse_next("SERVER_STATE_ILLEGAL", path=r"/restart$")
    with raises(TransientProviderError, "PROVIDER_BUSY"):
        driver.reboot(running.ref)
    driver.reboot(running.ref)
    assert len(cloud.events("restart")) == 1


def test_it_sends_nothing_to_a_machine_that_is_stopped_or_gone(cloud, driver, running):
    driver.stop(running.ref)
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.reboot(running.ref)
    with raises(ProviderError, "PROVIDER_NOT_FOUND"):
        driver.reboot(NOWHERE)
    assert cloud.calls("POST", r"/restart$") == 0


def test_it_reports_that_the_machine_was_deleted_meanwhile(cloud, driver, running):
    cloud.refuse_next("SERVER_NOT_FOUND", 404, path=r"/restart$")
    with raises(ProviderError, "PROVIDER_NOT_FOUND"):
        driver.reboot(running.ref)


def test_a_resize_by_the_official_client_shows_in_the_list(driver, running, witness):
    driver.stop(running.ref)
    witness.modify_server(running.ref, plan="1xCPU-1GB")
    assert [machine.plan for machine in driver.list()] == ["1xCPU-1GB"]
