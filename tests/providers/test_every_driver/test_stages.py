"""The stages themselves: there is one for every driver, and each shows what the suite relies on."""

from apps.providers.drivers import DRIVERS
from tests.providers.clouds import STAGES, on_every_stage, stage_class
from tests.providers.clouds.base import Can


def test_every_driver_has_a_stage():
    assert set(STAGES) == set(DRIVERS)


def test_every_stage_is_its_provider_s():
    assert {name: stage_class(name).provider for name in STAGES} == {name: name for name in STAGES}


def test_every_stage_shows_wrong_credentials_where_there_are_any():
    able = {name for name in STAGES if Can.REFUSE_CREDENTIALS in stage_class(name).can}
    assert able == {name for name, driver in DRIVERS.items() if driver.credentials}


@on_every_stage()
def test_it_begins_empty(stage):
    assert list(stage.refs()) == list(stage.disks()) == list(stage.leftovers()) == []
    assert stage.creates() == stage.orders() == 0


@on_every_stage()
def test_it_sees_a_machine_from_both_sides(stage, driver):
    stranger = stage.make_stranger()
    assert stage.creates() == 0
    ref = driver.create(stage.spec()).ref
    assert set(stage.refs()) == {stranger, ref}
    assert stage.creates() == stage.orders() == 1
    stage.vanish(ref)
    stage.vanish(stranger)
    assert list(stage.refs()) == list(stage.leftovers()) == []
    assert stage.creates() == 1
