"""What every driver makes of a cloud's troubles: what to believe, what to repeat, what to look up first."""

import time

import pytest

from apps.providers.drivers.base import OutcomeUnknown, ProviderError, TransientProviderError
from tests.providers.clouds import STAGES, on_every_stage, on_every_trouble, stage_class
from tests.providers.clouds.base import Can, Trouble
from tests.providers.test_every_driver.patience import raises, shown, until

READS = {
    "check": lambda driver, ref: driver.check(),
    "plans": lambda driver, ref: driver.plans(),
    "zones": lambda driver, ref: driver.zones(),
    "images": lambda driver, ref: driver.images(),
    "list": lambda driver, ref: driver.list(),
    "find": lambda driver, ref: driver.find("srv-abc123"),
    "get": lambda driver, ref: driver.get(ref),
}
on_every_read = pytest.mark.parametrize(
    ("served", "read"),
    [(name, read) for name in STAGES for read in stage_class(name).reads],
    indirect=["served"],
    scope="session",
)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@on_every_trouble(Trouble.ERROR, Trouble.HTML, Trouble.EMPTY)
def test_it_asks_again_after_an_answer_that_says_nothing(stage, driver, trouble):
    stage.fail(trouble)
    for read in stage.reads:
        with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
            READS[read](driver, stage.nobody)
    stage.heal()
    assert driver.check() is None


@on_every_trouble(Trouble.AUTH)
def test_it_stops_where_credentials_are_no_longer_good(stage, driver, trouble):
    stage.fail(trouble)
    for read in stage.reads:
        with raises(ProviderError, "PROVIDER_AUTH") as caught:
            READS[read](driver, stage.nobody)
        text = shown(caught.value)
        assert not [secret for secret in stage.connection().credentials.values() if len(secret) > 4 and secret in text]


@on_every_stage(Can.RETRY_AFTER, trouble=Trouble.RATE_LIMIT)
@pytest.mark.parametrize("asked", [7, 31])
def test_it_passes_on_how_long_to_wait(stage, driver, asked):
    stage.fail(Trouble.RATE_LIMIT, retry_after=asked)
    for read in stage.reads:
        with raises(TransientProviderError, "PROVIDER_RATE_LIMITED") as caught:
            READS[read](driver, stage.nobody)
        assert asked - 1 <= caught.value.after <= asked + 1


@on_every_stage(Can.RETRY_AFTER, trouble=Trouble.RATE_LIMIT)
def test_it_waits_no_longer_than_makes_sense(stage, driver):
    stage.fail(Trouble.RATE_LIMIT, retry_after=86400)
    with raises(TransientProviderError, "PROVIDER_RATE_LIMITED") as caught:
        driver.check()
    assert caught.value.after is None or caught.value.after <= 3600


@on_every_trouble(Trouble.RATE_LIMIT)
def test_it_leaves_the_pause_to_others_where_none_is_named(stage, driver, trouble):
    stage.fail(trouble)
    with raises(TransientProviderError, "PROVIDER_RATE_LIMITED"):
        driver.list()


@on_every_read
def test_it_says_that_the_cloud_cannot_be_reached(stage, open_driver, read):
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        READS[read](open_driver(stage.nowhere()), stage.nobody)


@on_every_read
def test_it_loses_patience(stage, open_driver, monkeypatch, read):
    stage.impatient(monkeypatch, 0.3)
    stage.hang(3)
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE", within=2.5):
        READS[read](open_driver(stage.connection()), stage.nobody)


@on_every_read
def test_it_says_that_an_answer_was_cut_off(stage, driver, read):
    stage.lose_answer(times=None)
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE", "PROVIDER_UNAVAILABLE"):
        READS[read](driver, stage.nobody)


# ── ordering ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@on_every_trouble(Trouble.AUTH, Trouble.QUOTA)
def test_it_is_refused_a_machine(stage, driver, trouble):
    stage.fail(trouble, call=stage.create_call)
    with raises(ProviderError, f"PROVIDER_{trouble.name}"):
        driver.create(stage.spec())
    assert list(stage.refs()) == list(stage.leftovers()) == [] and stage.orders() == 1


@on_every_trouble(Trouble.RATE_LIMIT)
def test_it_knows_that_nothing_was_made_when_it_has_to_wait(stage, driver, trouble):
    stage.fail(trouble, call=stage.create_call)
    with raises(TransientProviderError, "PROVIDER_RATE_LIMITED"):
        driver.create(stage.spec())
    assert list(stage.refs()) == [] and stage.orders() == 1


@on_every_trouble(Trouble.ERROR, Trouble.HTML, Trouble.EMPTY)
def test_it_is_in_doubt_after_an_answer_that_says_nothing(stage, driver, trouble):
    stage.fail(trouble, call=stage.create_call)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec())
    assert stage.orders() == 1


@on_every_stage()
def test_it_finds_the_machine_whose_answer_was_lost(stage, driver):
    stage.lose_create_answer(committed=True)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec())
    [found] = until(lambda: driver.find("srv-abc123"))
    assert list(stage.refs()) == [found.ref] and stage.creates() == stage.orders() == 1


@on_every_stage()
def test_it_finds_nothing_where_the_order_never_arrived(stage, driver):
    stage.lose_create_answer(committed=False)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec())
    assert driver.find("srv-abc123") == [] == list(stage.refs()) and stage.orders() == 1
    made = driver.create(stage.spec(order="second"))
    assert [machine.ref for machine in driver.find("srv-abc123")] == [made.ref] and stage.creates() == 1


@pytest.mark.slow
@on_every_stage()
def test_it_is_in_doubt_after_an_order_that_takes_too_long(stage, open_driver, monkeypatch):
    stage.impatient(monkeypatch, 4)  # enough for what is asked before the order
    stage.hang(60, call=stage.create_call, committed=True)
    driver = open_driver(stage.connection())
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST", within=40):
        driver.create(stage.spec())
    stage.heal()
    until(lambda: len(driver.find("srv-abc123")) == 1)
    assert stage.creates() == stage.orders() == 1


@on_every_stage()
def test_it_orders_nothing_from_a_cloud_that_cannot_be_reached(stage, open_driver):
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        open_driver(stage.nowhere()).create(stage.spec())


@on_every_stage()
def test_it_can_be_closed_twice(stage, open_driver):
    driver = open_driver(stage.connection())
    driver.close()
    began = time.monotonic()
    driver.close()
    assert time.monotonic() - began < 1
