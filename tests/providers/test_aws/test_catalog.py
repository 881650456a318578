"""What can be ordered at AWS, and at what price as far as it is known."""

from decimal import Decimal

import pytest

from apps.providers.drivers.aws import catalog
from apps.providers.drivers.base import Plan, Price
from tests.providers.clouds import on_stages
from tests.providers.clouds.aws import REGION

ZONES = {f"{REGION}{letter}" for letter in "abc"}


@pytest.fixture
def plans(stage, driver):
    return {plan.name: plan for plan in driver.plans()}


@on_stages("aws")
def test_it_reads_sizes_and_prices_them_in_every_zone(plans):
    small, large = plans["t3.micro"], plans["m5.large"]
    assert (small.cpus, small.memory_mib, small.disk_gib, small.family) == (2, 1024, 30, "t3")
    assert (large.cpus, large.memory_mib, large.disk_gib, large.family) == (2, 8192, 30, "m5")
    assert set(small.prices) == ZONES
    hourly = Decimal("0.0114") + 30 * Decimal("0.088") / 730 + Decimal("0.005")
    price = small.prices[f"{REGION}a"]
    assert price.currency == "USD"
    assert abs(price.hourly - hourly) < Decimal("0.000001") and abs(price.monthly - hourly * 730) < Decimal("0.01")


@on_stages("aws")
def test_it_leaves_out_other_architectures_bare_metal_and_what_is_old(plans):
    assert not {"t4g.micro", "m6g.large", "a1.large", "m5.metal", "c5.metal", "m4.large", "t2.micro"} & set(plans)


@on_stages("aws")
def test_it_knows_no_price_rather_than_a_wrong_one(plans):
    assert plans["i3en.large"].prices == {}
    assert all(price.hourly > 0 for plan in plans.values() for price in plan.prices.values())


def test_it_prices_a_plan_only_where_it_is_offered():
    facts = {"VCpuInfo": {"DefaultVCpus": 2}, "MemoryInfo": {"SizeInMiB": 8192}}
    types = [{"InstanceType": name, **facts} for name in ("m5.large", "m6i.large")] + [{"InstanceType": "t3.micro"}]
    [plan] = catalog.plans(types, {"m5.large": ["eu-west-1c"], "t3.micro": ["eu-west-1a"]}, REGION)
    assert (plan.name, list(plan.prices)) == ("m5.large", ["eu-west-1c"])


@on_stages("aws")
def test_it_says_where_a_zone_is(driver):
    zones = {zone.name: zone.title for zone in driver.zones()}
    assert zones == {f"{REGION}{letter}": f"Europe (Ireland), {letter}" for letter in "abc"}


def test_it_leaves_out_zones_that_are_none_of_a_region():
    items = [
        {"ZoneName": "us-west-2a", "ZoneType": "availability-zone"},
        {"ZoneName": "us-west-2-lax-1a", "ZoneType": "local-zone"},
        {"ZoneName": "us-west-2-wl1-las-wlz-1", "ZoneType": "wavelength-zone"},
    ]
    assert [zone.name for zone in catalog.zones(items, "us-west-2")] == ["us-west-2a"]


@pytest.mark.parametrize(
    ("name", "hourly"),
    [("t3.nano", "0.0052"), ("m5.large", "0.096"), ("m5.24xlarge", "4.608"), ("c7i.2xlarge", "0.357")],
)
def test_it_derives_the_prices_of_all_sizes(name, hourly):
    listed = catalog.price(name, "us-east-1", 0)
    assert listed.hourly == Decimal(hourly) + Decimal("0.005")


@pytest.mark.parametrize(
    ("name", "region"),
    [("x9.large", "us-east-1"), ("m5.metal", "us-east-1"), ("m5", "us-east-1"), ("m5.large", "xx-north-9")],
)
def test_it_knows_no_price_of_what_is_not_in_the_table(name, region):
    assert catalog.price(name, region, 30) is None


@pytest.mark.parametrize(("memory", "disk"), [(512, 30), (8192, 30), (32768, 64), (786432, 200)])
def test_it_chooses_a_disk_by_the_memory(memory, disk):
    assert catalog.disk_gib(memory) == disk


def test_it_joins_the_plans_of_regions():
    price = Price(currency="USD", hourly=Decimal(1), monthly=Decimal(730))
    facts = {"cpus": 2, "memory_mib": 1024, "disk_gib": 30}
    here, there = Plan(name="a", prices={"x-1a": price}, **facts), Plan(name="a", prices={"y-1a": price}, **facts)
    other = Plan(name="b", **facts)
    assert catalog.merged([here, other, there]) == [
        Plan(name="a", prices={"x-1a": price, "y-1a": price}, **facts),
        other,
    ]
