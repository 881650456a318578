"""Every driver's machine, and the watch over what may never be shown."""

import logging

import pytest

from tests.providers.clouds.base import USER_DATA
from tests.providers.test_every_driver.patience import until


@pytest.fixture
def running(stage, driver):
    """A machine that runs."""
    ref = driver.create(stage.spec()).ref
    return until(lambda: (machine := driver.get(ref)) and machine.state == "running" and machine)


@pytest.fixture
def stopped(driver, running):
    """A machine that was stopped."""
    driver.stop(running.ref)
    return until(lambda: (machine := driver.get(running.ref)).state == "stopped" and machine)


@pytest.fixture(autouse=True)
def discretion(request, caplog):
    """Fail a test that has logged a credential, at any level, or the user data, where drivers log."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apps.providers")
    stage = request.getfixturevalue("stage") if "stage" in request.fixturenames else None
    secrets = ["wrong-secret", *(stage.connection().credentials.values() if stage else ())]
    yield
    records = caplog.get_records("call")
    log = "\n".join(record.getMessage() for record in records)
    ours = "\n".join(record.getMessage() for record in records if record.name.startswith("apps."))
    assert not [secret for secret in secrets if secret in log]
    assert USER_DATA not in ours
