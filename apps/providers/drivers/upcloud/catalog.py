"""UpCloud's plans, prices and zones as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from apps.providers.drivers.base import Plan, Price, Zone

BILLED_HOURS = 672  # a month costs at most 28 days
PLAN_KEY = "server_plan_"
DEAREST_CENTS = 10**9


def plans(items: Iterable[Mapping[str, Any]], prices: Mapping[str, Any]) -> list[Plan]:
    """Read the plans that can be ordered; one without whole sizes is left out."""
    by_plan = _prices_by_plan(prices)
    named = (item for item in items if isinstance(item.get("name"), str))
    offered = (item for item in named if item.get("current_offering") != "no")
    return [plan for item in offered if (plan := _plan(item, by_plan.get(item["name"], {})))]


def zones(items: Iterable[Mapping[str, Any]]) -> list[Zone]:
    """Read the zones that are open to everybody."""
    public = (item for item in items if item.get("public") == "yes" and isinstance(item.get("id"), str))
    return [Zone(name=item["id"], title=str(item.get("description") or item["id"])) for item in public]


def _plan(item: Mapping[str, Any], prices: Mapping[str, Price]) -> Plan | None:
    try:
        cpus, memory, disk = (int(item[key]) for key in ("core_number", "memory_amount", "storage_size"))
    except (KeyError, TypeError, ValueError):
        return None
    family = str(item.get("family") or "")
    return Plan(name=item["name"], cpus=cpus, memory_mib=memory, disk_gib=disk, family=family, prices=prices)


def _prices_by_plan(prices: Mapping[str, Any]) -> dict[str, dict[str, Price]]:
    """Turn zone → `server_plan_<plan>` → price around, to plan → zone → price."""
    currency = str(prices.get("currency") or "EUR")
    zones = prices.get("zone")
    found: dict[str, dict[str, Price]] = {}
    for zone in (zone for zone in (zones if isinstance(zones, list) else []) if isinstance(zone, Mapping)):
        for key, item in zone.items():
            price = _price(item, currency) if key.startswith(PLAN_KEY) else None
            if price:
                found.setdefault(key.removeprefix(PLAN_KEY), {})[str(zone.get("name"))] = price
    return found


def _price(item: Any, currency: str) -> Price | None:
    """Read cents per hour for `amount` units; None, never 0, when the price is missing."""
    cents, amount = (_number(item.get(key)) if isinstance(item, Mapping) else None for key in ("price", "amount"))
    if cents is None or not amount:
        return None
    hourly = cents / amount / 100
    return Price(
        currency=currency, hourly=hourly, monthly=(hourly * BILLED_HOURS).quantize(Decimal("0.01"), ROUND_HALF_UP)
    )


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < DEAREST_CENTS:
        return None
    return Decimal(value)
