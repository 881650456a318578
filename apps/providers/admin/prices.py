"""Prices in words, and plans of several accounts side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from apps.providers.models import CloudAccount, Plan

MAX_SIZES = 200


def money(price: Mapping[str, str] | None, period: str = "monthly") -> str:
    """Write a price, such as `12.50 EUR`, or `0.0104 EUR` an hour."""
    if not price or not price.get(period):
        return "-"
    return f"{float(price[period]):,.{4 if period == 'hourly' else 2}f} {price['currency']}"


def parts_of(plan: Plan) -> str:
    """Say what a plan has, such as `2 CPUs, 4 GiB memory, 80 GiB disk`."""
    disk = f", {plan.disk_gib} GiB disk" if plan.disk_gib else ""
    return f"{size_text(plan.cpus, plan.memory_mib)}{disk}"


def size_text(cpus: int, memory_mib: int) -> str:
    """Say processors and memory, such as `2 CPUs, 4 GiB memory`."""
    return f"{cpus} CPU{'' if cpus == 1 else 's'}, {memory_mib / 1024:g} GiB memory"


@dataclass
class Offer:
    """A plan in the zone where it costs least; `is_cheapest` of those beside it with prices in its currency."""

    plan: Plan
    zone: str
    price: Mapping[str, str]
    is_cheapest: bool = False

    @property
    def monthly(self) -> Decimal:
        """What it costs a month, in the currency of its price."""
        return Decimal(self.price["monthly"])

    @property
    def text(self) -> str:
        """What it costs a month, in words."""
        return money(self.price)


def cheapest_zone(plan: Plan) -> Offer | None:
    """Return a plan in the zone where it costs least, None where no price is known."""
    known = [Offer(plan, zone, price) for zone, price in plan.prices.items() if price.get("monthly")]
    return min(known, key=lambda offer: (offer.monthly, offer.zone), default=None)


def side_by_side(
    plans: QuerySet[Plan], *, cpus: int = 0, memory_gib: float = 0
) -> tuple[list[CloudAccount], list[dict[str, Any]]]:
    """Return accounts, and for each size on offer the cheapest plan of each that has at least so much.

    Sizes below `cpus` and `memory_gib` are left out; at most `MAX_SIZES` are returned, smallest first.
    """
    offers: dict[CloudAccount, list[Offer]] = {}
    for plan in plans.filter(retired_at=None, account__enabled=True).select_related("account"):
        if offer := cheapest_zone(plan):
            offers.setdefault(plan.account, []).append(offer)
    sizes = {(offer.plan.cpus, offer.plan.memory_mib) for found in offers.values() for offer in found}
    matching = sorted(size for size in sizes if size[0] >= cpus and size[1] >= memory_gib * 1024)[:MAX_SIZES]
    accounts = sorted(offers, key=str)
    return accounts, [row_of(size, [offers[account] for account in accounts]) for size in matching]


def row_of(size: tuple[int, int], by_account: Sequence[Iterable[Offer]]) -> dict[str, Any]:
    """Return the cheapest plans that have at least a size, one for each account or None."""
    cells = [
        min(
            (offer for offer in offers if has_at_least(offer.plan, size)), key=lambda offer: offer.monthly, default=None
        )
        for offers in by_account
    ]
    cells = [replace(cell) if cell else None for cell in cells]
    for currency in {cell.price["currency"] for cell in cells if cell}:
        same = [cell for cell in cells if cell and cell.price["currency"] == currency]
        least = min(cell.monthly for cell in same)
        for cell in same:
            cell.is_cheapest = len(same) > 1 and cell.monthly == least
    return {"size": size_text(*size), "offers": cells}


def has_at_least(plan: Plan, size: tuple[int, int]) -> bool:
    """Tell whether a plan has as many processors and as much memory."""
    return plan.cpus >= size[0] and plan.memory_mib >= size[1]
