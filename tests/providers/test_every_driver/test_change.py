"""How every driver starts, stops and reboots a machine, once or many times."""

import pytest

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.clouds import on_every_stage
from tests.providers.test_every_driver.patience import raises, until

VERBS = ("start", "stop", "reboot")


def state_of(driver, machine):
    return driver.get(machine.ref).state


@on_every_stage()
def test_it_stops_a_machine_and_minds_no_repetition(driver, running):
    for _ in range(3):
        driver.stop(running.ref)
    until(lambda: state_of(driver, running) == "stopped")
    driver.stop(running.ref)
    assert state_of(driver, running) == "stopped"


@on_every_stage()
def test_it_starts_a_machine_and_minds_no_repetition(driver, stopped):
    driver.start(stopped.ref)
    until(lambda: state_of(driver, stopped) == "running")
    driver.start(stopped.ref)
    until(lambda: state_of(driver, stopped) == "running")


@on_every_stage()
def test_a_machine_that_was_stopped_is_still_the_same(driver, running, stopped):
    driver.start(running.ref)
    again = until(lambda: (machine := driver.get(running.ref)).state == "running" and machine)
    assert (again.server_id, again.hostname, again.plan, again.zone, again.disks) == (
        running.server_id,
        running.hostname,
        running.plan,
        running.zone,
        running.disks,
    )


@on_every_stage()
def test_it_reboots_a_machine_and_minds_no_repetition(stage, driver, running):
    for _ in range(2):
        driver.reboot(running.ref)
    until(lambda: state_of(driver, running) == "running")
    assert (driver.get(running.ref).ip, driver.get(running.ref).disks) == (running.ip, running.disks)
    assert list(stage.refs()) == [running.ref] and stage.creates() == 1


@on_every_stage()
def test_it_reboots_no_machine_that_is_stopped(driver, stopped):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.reboot(stopped.ref)
    assert state_of(driver, stopped) == "stopped"


@on_every_stage()
@pytest.mark.parametrize("verb", VERBS)
def test_it_says_that_there_is_no_such_machine(stage, driver, verb):
    with raises(ProviderError, "PROVIDER_NOT_FOUND"):
        getattr(driver, verb)(stage.nobody)


@on_every_stage()
@pytest.mark.parametrize("verb", VERBS)
def test_it_says_that_the_machine_is_gone(stage, driver, running, verb):
    stage.vanish(running.ref)
    with raises(ProviderError, "PROVIDER_NOT_FOUND"):
        getattr(driver, verb)(running.ref)


@on_every_stage()
@pytest.mark.parametrize("verb", VERBS)
def test_it_touches_no_stranger(stage, driver, verb):
    stranger = stage.make_stranger()
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        getattr(driver, verb)(stranger)
    assert stranger in stage.refs()


@on_every_stage()
@pytest.mark.parametrize("verb", VERBS)
def test_it_touches_no_machine_of_another_installation(stage, running, open_driver, verb):
    neighbour = open_driver(stage.connection(installation=stage.other_installation))
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        getattr(neighbour, verb)(running.ref)


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("verb", VERBS)
def test_it_goes_on_where_an_answer_was_lost(request, stage, driver, running, verb, committed):
    if verb == "start":
        request.getfixturevalue("stopped")
    wanted = "stopped" if verb == "stop" else "running"
    stage.lose_answer(call=stage.change_calls[verb], committed=committed)
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        getattr(driver, verb)(running.ref)
    stage.heal()
    getattr(driver, verb)(running.ref)
    until(lambda: state_of(driver, running) == wanted)
