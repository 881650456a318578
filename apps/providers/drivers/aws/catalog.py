"""EC2's instance types, zones and prices as plain values.

EC2 does not tell prices, and what does (the price list API) is a service of its own with permissions of its own, so
they come from `prices.json` and are **indicative**: on-demand Linux prices in USD, the region's price of a family's
`large` size, from which every other size is a multiple. They were read on 2025-03-02 from AWS's public price list as
Apache Libcloud 3.9.1 ships it, each confirmed by two sizes or more and by the ratios between families; those of a gp3
disk (per GiB and month) and of a public IPv4 address are AWS's as commonly quoted in 2025 and were not in that list. A
family or region that is not in the file has no known price.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from apps.providers.drivers.aws.images import ARCHITECTURE
from apps.providers.drivers.base import Plan, Price, Zone

MONTH_HOURS = 730  # as AWS itself counts
SMALLEST_DISK_GIB, LARGEST_DISK_GIB = 30, 200
# What is of another architecture, has no EBS or is older than Nitro is left out: a mere size must run alike.
# AWS's own "current-generation" is no help: it is false for m5 and m6i and true for t2.
WANTED = {
    "hypervisor": "nitro",
    "bare-metal": "false",
    "processor-info.supported-architecture": ARCHITECTURE,
    "supported-usage-class": "on-demand",
    "supported-root-device-type": "ebs",
}
FILTERS = [{"Name": name, "Values": [value]} for name, value in WANTED.items()]
SIZES = {"nano": "0.0625", "micro": "0.125", "small": "0.25", "medium": "0.5", "large": "1", "xlarge": "2"}


def plans(types: Iterable[Mapping[str, Any]], zones_by_type: Mapping[str, Iterable[str]], region: str) -> list[Plan]:
    """Read the types of a region that some zone offers, priced in the zones that do."""
    offered = (item for item in types if item.get("InstanceType") in zones_by_type)
    return [plan for item in offered if (plan := _plan(item, zones_by_type[item["InstanceType"]], region))]


def merged(plans: Iterable[Plan]) -> list[Plan]:
    """Join the plans of several regions: one for each name, with the prices of all."""
    by_name: dict[str, Plan] = {}
    for plan in plans:
        prices = {**by_name[plan.name].prices, **plan.prices} if plan.name in by_name else plan.prices
        by_name[plan.name] = Plan(**{**vars(plan), "prices": prices})
    return list(by_name.values())


def zones(items: Iterable[Mapping[str, Any]], region: str) -> list[Zone]:
    """Read the availability zones; local and wavelength zones lack much of what a machine of ours needs."""
    title = (_prices()["regions"].get(region) or {}).get("title") or region
    names = [
        str(item["ZoneName"]) for item in items if item.get("ZoneType", "availability-zone") == "availability-zone"
    ]
    return [Zone(name=name, title=f"{title}, {name[len(region) :]}") for name in names]


def disk_gib(memory_mib: int) -> int:
    """Choose the size of the disk, which EC2 leaves open: twice the memory, from 30 to 200 GiB."""
    return min(max(2 * memory_mib // 1024, SMALLEST_DISK_GIB), LARGEST_DISK_GIB)


def price(name: str, region: str, disk: int) -> Price | None:
    """Tell what a machine costs with its disk and its address; None, never 0, when it is not known."""
    family, _, size = name.partition(".")
    told = _prices()["regions"].get(region) or {}
    large, times = told.get("large", {}).get(family), _times(size)
    if large is None or times is None:
        return None
    hourly = Decimal(large) * times + Decimal(told["gp3"]) * disk / MONTH_HOURS + Decimal(_prices()["ipv4_hourly"])
    return Price(
        currency=_prices()["currency"],
        hourly=hourly.quantize(Decimal("0.000001"), ROUND_HALF_UP),
        monthly=(hourly * MONTH_HOURS).quantize(Decimal("0.01"), ROUND_HALF_UP),
    )


def _times(size: str) -> Decimal | None:
    """Tell how many times the price of `large` a size costs."""
    many = re.fullmatch(r"([1-9][0-9]{0,2})xlarge", size)
    if many:
        return Decimal(2) * int(many[1])
    return Decimal(SIZES[size]) if size in SIZES else None


def _plan(item: Mapping[str, Any], zone_names: Iterable[str], region: str) -> Plan | None:
    try:
        cpus, memory = int(item["VCpuInfo"]["DefaultVCpus"]), int(item["MemoryInfo"]["SizeInMiB"])
    except (KeyError, TypeError, ValueError):
        return None
    name, disk = item["InstanceType"], disk_gib(memory)
    told = price(name, region, disk)
    prices = dict.fromkeys(zone_names, told) if told else {}
    return Plan(name=name, cpus=cpus, memory_mib=memory, disk_gib=disk, family=name.partition(".")[0], prices=prices)


@cache
def _prices() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "prices.json").read_text())
