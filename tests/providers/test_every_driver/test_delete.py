"""How every driver takes a machine away until nothing is left of it, and nothing else."""

import pytest

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.clouds import on_every_stage
from tests.providers.clouds.base import Trouble
from tests.providers.test_every_driver.patience import gone, raises, until


@on_every_stage()
def test_it_leaves_nothing(stage, driver, running):
    gone(driver, running.ref, disks=running.disks)
    assert list(stage.refs()) == list(stage.disks()) == list(stage.leftovers()) == []
    assert driver.get(running.ref) is None and driver.find("srv-abc123") == [] and driver.list() == []


@on_every_stage()
def test_it_leaves_nothing_of_one_that_has_only_just_been_ordered(stage, driver):
    gone(driver, driver.create(stage.spec()).ref)
    assert list(stage.refs()) == list(stage.leftovers()) == []


@on_every_stage()
def test_it_leaves_nothing_of_one_that_is_stopped(stage, driver, stopped):
    gone(driver, stopped.ref)
    assert list(stage.refs()) == list(stage.leftovers()) == []


@on_every_stage()
def test_it_minds_no_repetition(stage, driver, running):
    gone(driver, running.ref, disks=running.disks)
    assert driver.delete(running.ref, server_id="srv-abc123", disks=running.disks) is True
    assert driver.delete(running.ref, server_id="srv-abc123") is True


@on_every_stage()
def test_it_says_that_what_never_was_is_gone(stage, driver):
    gone(driver, stage.nobody)


@on_every_stage()
def test_it_finishes_what_somebody_else_took_away(stage, driver, running):
    stage.vanish(running.ref)
    gone(driver, running.ref, disks=running.disks)
    assert list(stage.leftovers()) == []


@on_every_stage()
def test_it_says_that_it_is_gone_only_when_it_is(stage, driver, running):
    done = driver.delete(running.ref, server_id="srv-abc123", disks=running.disks)
    while not done:
        done = driver.delete(running.ref, server_id="srv-abc123", disks=running.disks)
        assert not done or driver.get(running.ref) is None
    assert list(stage.refs()) == []


@on_every_stage()
def test_it_deletes_no_machine_of_another_server(stage, driver, running):
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(running.ref, server_id="srv-other")
    until(lambda: driver.get(running.ref).state == "running")


@on_every_stage()
def test_it_deletes_no_machine_of_another_installation(stage, driver, running, open_driver):
    neighbour = open_driver(stage.connection(installation=stage.other_installation))
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        neighbour.delete(running.ref, server_id="srv-abc123")
    until(lambda: driver.get(running.ref).state == "running")


@on_every_stage()
def test_it_deletes_no_stranger(stage, driver):
    stranger = stage.make_stranger()
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(stranger, server_id="srv-abc123")
    assert list(stage.refs()) == [stranger]


@on_every_stage()
def test_it_leaves_the_machine_beside_alone(stage, driver, running):
    beside = driver.create(stage.spec(server_id="srv-beside", hostname="beside", order="beside"))
    gone(driver, running.ref, disks=running.disks)
    assert list(stage.refs()) == [beside.ref]
    until(lambda: driver.get(beside.ref).state == "running")
    gone(driver, beside.ref, server_id="srv-beside")
    assert list(stage.leftovers()) == []


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
def test_it_goes_on_where_an_answer_was_lost(stage, driver, running, committed):
    stage.lose_answer(call=stage.change_calls["delete"], committed=committed)
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        gone(driver, running.ref, disks=running.disks)
    gone(driver, running.ref, disks=running.disks)
    assert list(stage.refs()) == list(stage.leftovers()) == []


@on_every_stage(trouble=Trouble.HTML)
def test_it_does_not_take_a_broken_cloud_for_an_empty_one(stage, driver, running):
    stage.fail(Trouble.HTML)
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.delete(running.ref, server_id="srv-abc123")
    stage.heal()
    until(lambda: driver.get(running.ref).state == "running")
