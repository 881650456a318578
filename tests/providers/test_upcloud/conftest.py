"""The driver, its machine and its two kinds of opposite."""

import pytest

from tests.providers.test_upcloud.driver_helpers import SPEC, opened
from tests.providers.test_upcloud.script import Script
from tests.providers.test_upcloud.script import opened as pointed


@pytest.fixture
def driver(cloud):
    driver = opened(cloud)
    yield driver
    driver.close()


@pytest.fixture
def running(cloud, driver):
    machine = driver.get(driver.create(SPEC).ref)
    assert machine.state == "running"
    return machine


@pytest.fixture
def script():
    script = Script()
    yield script
    script.close()


@pytest.fixture
def scripted(script):
    with pointed(script.endpoint) as driver:
        yield driver
