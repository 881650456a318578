"""The engine's version is asked for once, and again when the engine has not answered in between."""

import pytest

from apps.providers.drivers.base import Transient
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
    with pytest.raises(Transient):
        open_driver(stage.connection()).check()
    stage.heal()
    before = times_asked(stage)
    open_driver(stage.connection()).check()
    assert times_asked(stage) == before + 1
