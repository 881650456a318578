"""Hetzner's server types, prices, locations and images as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.providers.drivers.base import Image, Plan, Price, Zone

DEBIAN_12 = "debian-12"
MIB_PER_GB = 1024


def plans(types: Iterable[Mapping[str, Any]], pricing: Mapping[str, Any]) -> list[Plan]:
    """Read the types that can be ordered somewhere and are not deprecated there.

    Prices are net, without VAT, and include the public IPv4 address that every machine has.
    """
    currency, addresses = str(pricing.get("currency") or ""), _addresses(pricing)
    found = [_plan(item, currency, addresses) for item in types if not _is_deprecated(item)]
    return [plan for plan in found if plan]


def zones(locations: Iterable[Mapping[str, Any]]) -> list[Zone]:
    """Read the locations."""
    return [
        Zone(name=item["name"], title=str(item.get("description") or item["name"]))
        for item in locations
        if isinstance(item.get("name"), str)
    ]


def images(items: Iterable[Mapping[str, Any]]) -> list[Image]:
    """Read the system images, the default one first; one that is there for x86 and for arm is one image to us."""
    titles = {item["name"]: str(item.get("description") or item["name"]) for item in items if is_image(item)}
    found = [Image(name=name, title=title) for name, title in titles.items()]
    return sorted(found, key=lambda image: (image.name != DEBIAN_12, image.title))


def is_image(item: Mapping[str, Any]) -> bool:
    """Tell whether it is a Linux of Hetzner's own that can be used and is not deprecated."""
    is_usable = item.get("status") == "available" and not item.get("deprecated")
    is_linux = item.get("type") == "system" and item.get("os_flavor") not in (None, "unknown")
    return isinstance(item.get("name"), str) and is_usable and is_linux


def _plan(item: Mapping[str, Any], currency: str, addresses: Mapping[str, tuple[Decimal, Decimal]]) -> Plan | None:
    """Read one type; None without whole sizes or without a location to order it in."""
    try:
        cpus, disk = int(item["cores"]), int(item["disk"])
        memory = int(Decimal(str(item["memory"])) * MIB_PER_GB)
        name = str(item["name"])
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None
    prices = _prices(item, currency, addresses)
    family = f"{item.get('cpu_type') or ''} {item.get('architecture') or ''}".strip()
    return (
        Plan(name=name, cpus=cpus, memory_mib=memory, disk_gib=disk, family=family, prices=prices) if prices else None
    )


FREE = (Decimal(0), Decimal(0))


def _prices(
    item: Mapping[str, Any], currency: str, addresses: Mapping[str, tuple[Decimal, Decimal]]
) -> dict[str, Price]:
    open_in = _open_locations(item)
    found: dict[str, Price] = {}
    for told in _objects(item.get("prices")):
        zone, price = str(told.get("location")), _net(told)
        if price and currency and (open_in is None or zone in open_in):
            hourly, monthly = (sum(pair, Decimal(0)) for pair in zip(price, addresses.get(zone, FREE), strict=True))
            found[zone] = Price(currency=currency, hourly=hourly, monthly=monthly)
    return found


def _open_locations(item: Mapping[str, Any]) -> set[str] | None:
    """Find where a type can be ordered; None when the API does not say, as before September 2025."""
    if not isinstance(item.get("locations"), list):
        return None
    places = _objects(item["locations"])
    return {str(p.get("name")) for p in places if not p.get("deprecation") and p.get("available") is not False}


def _addresses(pricing: Mapping[str, Any]) -> dict[str, tuple[Decimal, Decimal]]:
    """Read what an IPv4 address costs in each location."""
    kinds = [kind for kind in _objects(pricing.get("primary_ips")) if kind.get("type") == "ipv4"]
    told = [price for kind in kinds for price in _objects(kind.get("prices"))]
    return {str(price.get("location")): net for price in told if (net := _net(price))}


def _net(told: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Read the net price per hour and per month; None, never 0, when one is missing."""
    try:
        hourly, monthly = (Decimal(told[f"price_{unit}"]["net"]) for unit in ("hourly", "monthly"))
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None
    return (hourly, monthly) if hourly.is_finite() and monthly.is_finite() else None


def _is_deprecated(item: Mapping[str, Any]) -> bool:
    return bool(item.get("deprecated") or item.get("deprecation"))


def _objects(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
