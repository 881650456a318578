"""How an engine is asked: once for what stays as it is, and again for a list that it failed to make."""

import pytest

from apps.providers.drivers.base import TransientProviderError
from apps.providers.drivers.local import engine
from tests.providers.clouds import on_stages
from tests.providers.clouds.base import Call, Trouble

pytestmark = on_stages("local")
VERSION, INFO = Call("GET", r"/version$"), Call("GET", r"/info$")


def times_asked(stage, call=VERSION):
    return len(stage.proxy.calls(**call.rule))


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


def test_it_asks_what_the_engine_is_once_a_minute(stage, open_driver):
    engine.known_facts.clear()
    assert len({open_driver(stage.connection())._engine.is_podman for _ in range(3)}) == 1
    assert times_asked(stage, INFO) == 1
    [(address, (told_at, facts))] = engine.known_facts.items()
    engine.known_facts[address] = told_at - engine.FACTS_SECONDS, facts
    assert open_driver(stage.connection())._engine.facts["NCPU"] > 0
    assert times_asked(stage, INFO) == 2


def test_it_asks_again_for_a_list_that_the_engine_failed_to_make(stage, open_driver):
    """Podman fails a list when something vanishes while it is made, such as an image that others remove."""
    driver = open_driver(stage.connection())
    stage.proxy.fault("respond", path="/images/json", status=500, json={"message": "image not known"}, times=2)
    stage.proxy.fault("respond", path="/containers/json", status=500, json={"message": "no such container"}, times=2)
    driver.check()
    assert driver.list() == []
