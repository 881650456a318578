"""What every driver says of its cloud: that it is let in, and what can be ordered."""

from decimal import Decimal

from apps.providers.drivers.base import ProviderError
from apps.providers.models import Image, Plan, Zone
from tests.providers.clouds import on_every_stage
from tests.providers.clouds.base import Can
from tests.providers.test_every_driver.patience import raises, shown


def lengths(model, *fields):
    return [model._meta.get_field(field).max_length for field in fields]


@on_every_stage()
def test_it_says_what_it_is_called(driver):
    assert driver.title and isinstance(driver.credentials, tuple)


@on_every_stage()
def test_it_is_let_in(driver):
    assert driver.check() is None


@on_every_stage(Can.REFUSE_CREDENTIALS)
def test_it_reports_wrong_credentials_without_showing_them(stage, open_driver):
    for credentials in stage.wrong_credentials():
        connection = stage.connection(credentials=credentials)
        driver = open_driver(connection)
        with raises(ProviderError, "PROVIDER_AUTH") as caught:
            driver.check()
        assert "wrong-secret" not in f"{shown(caught.value)} {driver!r} {driver} {connection!r}"


@on_every_stage(Can.REFUSE_CREDENTIALS)
def test_it_refuses_an_account_without_credentials(stage, open_driver):
    with raises(ProviderError, "PROVIDER_AUTH"):
        open_driver(stage.connection(credentials={})).check()


@on_every_stage()
def test_it_offers_plans(stage, driver):
    plans = {plan.name: plan for plan in driver.plans()}
    assert stage.plan in plans
    for plan in plans.values():
        assert plan.cpus >= 1 and plan.memory_mib >= 128 and plan.disk_gib >= 0
        name, family = lengths(Plan, "name", "family")
        assert 0 < len(plan.name) <= name and len(plan.family) <= family
    assert len(plans) == len(driver.plans())


@on_every_stage(Can.RESIZE)
def test_it_offers_the_plan_to_resize_to(stage, driver):
    assert {stage.plan, stage.other_plan} <= {plan.name for plan in driver.plans()}
    assert stage.plan != stage.other_plan


@on_every_stage(Can.PRICE)
def test_it_prices_its_plans(stage, driver):
    zones = {zone.name for zone in driver.zones()}
    plans = {plan.name: plan for plan in driver.plans()}
    assert stage.zone in plans[stage.plan].prices
    for price in (price for plan in plans.values() for price in plan.prices.values()):
        assert len(price.currency) == 3 and price.currency.isupper()
        assert isinstance(price.hourly, Decimal) and isinstance(price.monthly, Decimal)
        assert 0 <= price.hourly <= price.monthly <= price.hourly * 24 * 31 + Decimal("0.01")
    assert plans[stage.plan].prices[stage.zone].hourly > 0
    assert any(zones >= set(plan.prices) for plan in plans.values())


@on_every_stage()
def test_it_has_zones(stage, driver):
    zones = driver.zones()
    assert stage.zone in {zone.name for zone in zones}
    assert len({zone.name for zone in zones}) == len(zones)
    name, title = lengths(Zone, "name", "title")
    assert all(0 < len(zone.name) <= name and 0 < len(zone.title) <= title for zone in zones)


@on_every_stage()
def test_it_has_images_the_default_one_first(stage, driver):
    images = driver.images()
    assert stage.image in {image.name for image in images[1:]}
    assert len({image.name for image in images}) == len(images)
    [longest] = lengths(Image, "name")
    assert all(0 < len(image.name) <= longest and image.title for image in images)
