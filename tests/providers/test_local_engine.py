"""How an engine is asked: once for its version, and again for a list that it failed to make."""

import pytest

from apps.providers.drivers.base import TransientProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.base import Call, Trouble

pytestmark = on_stages("local")
VERSION = Call("GET", r"/version$")


def times_asked(stage):
    return len(stage.proxy.calls(**VERSION.rule))


def test_it_asks_for_the_version_once(stage, open_driver):
    for _ in range(3):
        open_driver(stage.connection()).check()
    before = times_asked(stage)
    open_driver(stage.connection()).check()
    assert times_asked(stage) == before <= 1


def test_it_asks_again_after_an_engine_has_failed(stage, open_driver):
    open_driver(stage.connection()).check()
    stage.fail(Trouble.ERROR)
    with pytest.raises(TransientProviderError):
        open_driver(stage.connection()).check()
    stage.heal()
    before = times_asked(stage)
    open_driver(stage.connection()).check()
    assert times_asked(stage) == before + 1


def test_it_asks_again_for_a_list_that_the_engine_failed_to_make(stage, open_driver):
    """Podman fails a list when something vanishes while it is made, such as an image that others remove."""
    driver = open_driver(stage.connection())
    stage.proxy.fault("respond", path="/images/json", status=500, json={"message": "image not known"}, times=2)
    stage.proxy.fault("respond", path="/containers/json", status=500, json={"message": "no such container"}, times=2)
    driver.check()
    assert driver.list() == []
