"""What can be ordered at an account: choosing it, reading it, showing it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers.errors import AccountUnusable, CatalogueUnread, UnknownPlan, UnknownProvider, UnknownZone
from apps.providers.models import Account, Image, Plan, Zone
from apps.providers.services.offers import offered
from apps.system.errors import NotFound
from apps.workspaces.models import Workspace

REFRESH = "catalogue.refresh"
PORTABLE = re.compile(r"([1-9][0-9]{0,3})xCPU-([1-9][0-9]{0,4})GB")


@dataclass(frozen=True)
class Offering:
    """What an order comes to: the account, and the name of the provider's own plan."""

    account: Account
    size: str


def offering(workspace: Workspace, *, provider: str, plan: str, zone: str) -> Offering:
    """Return the workspace's account at the provider and the plan that is meant, both checked against its catalogue.

    A plan's own name goes before the portable meaning of names like `2xCPU-4GB`. Raises UnknownProvider,
    AccountUnusable, CatalogueUnread, UnknownPlan, UnknownZone.
    """
    account = Account.objects.usable_in(workspace).filter(provider=provider).offering(plan, zone).first()
    if account is None:
        raise unknown_provider(workspace, provider)
    if account.refreshed_at is None:
        raise unread(account)
    if not account.has_zone:
        raise UnknownZone(provider=provider, zone=zone, hint=nearest(zone, account.zones), field="zone")
    size = plan if account.has_plan else fitting(account, plan, zone)
    if size is None:
        raise UnknownPlan(provider=provider, plan=plan, hint=nearest_plan(account, plan), field="plan")
    return Offering(account, size)


def fitting(account: Account, portable: str, zone: str) -> str | None:
    """Return the cheapest plan that has at least the processors and memory of a portable name, None without one.

    One whose price in the zone is not known comes after all others; of equals, the smallest.
    """
    match = PORTABLE.fullmatch(portable)
    if not match:
        return None
    cpus, memory = int(match[1]), int(match[2]) * 1024
    plans = account.plans.filter(retired_at=None, cpus__gte=cpus, memory_mib__gte=memory)
    best = min(plans, key=lambda plan: (*cost(plan, zone), plan.cpus, plan.memory_mib, plan.name), default=None)
    return best and best.name


def cost(plan: Plan, zone: str) -> tuple[bool, Decimal]:
    """Return what a plan is sorted by: whether its price is unknown, and the price."""
    price = plan.price_in(zone)
    return (price is None, Decimal(price["monthly"]) if price else Decimal(0))


def unread(account: Account) -> CatalogueUnread | AccountUnusable:
    """Say why nothing can be ordered at an account that was never read."""
    if account.problem:
        return AccountUnusable(provider=account.provider, problem=account.problem)
    return CatalogueUnread(provider=account.provider)


def unknown_provider(workspace: Workspace, provider: str) -> UnknownProvider:
    """Say which providers there are instead."""
    known = sorted(set(Account.objects.usable_in(workspace).values_list("provider", flat=True)))
    return UnknownProvider(
        workspace=workspace.name, provider=provider, known=", ".join(known) or "none", field="provider"
    )


def nearest_plan(account: Account, given: str) -> str:
    """Suggest plans by their own names and by portable ones; of a size that is too large, say so."""
    sizes = account.plans.filter(retired_at=None).values_list("cpus", "memory_mib")
    if PORTABLE.fullmatch(given):
        cpus, memory = max(sizes, default=(0, 0))
        return f" None of its plans is that large; the largest has {cpus} CPUs and {memory / 1024:g} GiB of memory."
    portable = {f"{cpus}xCPU-{memory // 1024}GB" for cpus, memory in sizes if memory >= 1024}
    return nearest(given, account.plans, also=portable)


def nearest(given: str, offered: QuerySet, also: Iterable[str] = ()) -> str:
    """Suggest the names that were probably meant, some of `also` among them, or list some of what is offered."""
    names = list(offered.filter(retired_at=None).values_list("name", flat=True))
    known = sorted({*names, *also})
    close = difflib.get_close_matches(given, known, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    return f" It has {', '.join(names[:12])}{' and more' if len(names) > 12 else ''}." if names else ""


@transaction.atomic
def refresh_catalogue(*, account: Account, actor: User | None = None) -> Operation:
    """Queue the reading of an account's plans and zones. Raises TargetBusy."""
    return submit(
        kind=REFRESH,
        workspace=account.workspace,
        actor=actor,
        target=f"catalogue:{account.pk}",
        params={"account": account.pk},
    )


def refresh_all() -> None:
    """Queue the reading of every enabled account's catalogue, leaving out those under way."""
    for account in Account.objects.filter(enabled=True):
        with suppress(TargetBusy):
            refresh_catalogue(account=account)


@transaction.atomic
def store_catalogue(*, account: Account, plans: Iterable[Plan], zones: Iterable[Zone], images: Iterable[Image]) -> None:
    """Replace an account's catalogue; what is no longer offered is kept, marked as retired."""
    now = timezone.now()
    for model, rows, fields in (
        (Plan, list(plans), ["family", "cpus", "memory_mib", "disk_gib", "prices", "retired_at"]),
        (Zone, list(zones), ["title", "retired_at"]),
        (Image, list(images), ["title", "position", "retired_at"]),
    ):
        gone = model.objects.filter(account=account, retired_at=None)
        gone.exclude(name__in=[row.name for row in rows]).update(retired_at=now)
        model.objects.bulk_create(rows, update_conflicts=True, update_fields=fields, unique_fields=["account", "name"])
    Account.objects.filter(pk=account.pk).update(refreshed_at=now)


def price_of(account: Account, *, plan: str, zone: str) -> dict[str, Any] | None:
    """Return the price of a plan in a zone, or None where the provider does not tell."""
    row = Plan.objects.filter(account=account, name=plan).first()
    return row and row.price_in(zone)


# ── showing it ────────────────────────────────────────────────────────────────────────────────────────────────────────
def providers() -> list[dict[str, Any]]:
    """Return every provider that has a driver, with its accounts, and whether one of them works; one query."""
    accounts: dict[str, list[Account]] = {name: [] for name in offered}
    for account in Account.objects.select_related("workspace").order_by(
        "provider", F("workspace").asc(nulls_first=True), "name"
    ):
        accounts.setdefault(account.provider, []).append(account)
    return [
        {"name": name, "title": offered[name].title, **state_of(found), "accounts": found}
        for name, found in sorted(accounts.items())
        if name in offered
    ]


def state_of(accounts: list[Account]) -> dict[str, Any]:
    """Say whether servers can be ordered with any of the accounts, and if not, why."""
    enabled = [account for account in accounts if account.enabled]
    if any(account.refreshed_at and not account.problem for account in enabled):
        return {"available": True, "problem": None}
    problems = [account.problem or "Its plans have not been read yet." for account in enabled]
    return {
        "available": False,
        "problem": next(iter(problems), "There is no account at it; an administrator adds one."),
    }


def account_shown(provider: str, workspace: Workspace | None) -> Account:
    """Return the account whose catalogue is shown: the workspace's, or without one a shared account.

    Raises NotFound.
    """
    enabled = Account.objects.filter(provider=provider, enabled=True)
    shared_first = enabled.order_by(F("workspace").asc(nulls_first=True), "name")
    account = (enabled.usable_in(workspace) if workspace else shared_first).first()
    if account is None:
        raise NotFound(what="account at the provider", id=provider)
    return account


def plans_shown(account: Account, zone: str | None) -> list[Plan]:
    """Return an account's plans, marked; those that can be had in a zone, with its price only, when one is given.

    A provider that tells no prices at all has its plans in every zone. Raises UnknownZone.
    """
    plans = marked(account, account.plans)
    if zone is None:
        return plans
    if not account.zones.filter(name=zone, retired_at=None).exists():
        raise UnknownZone(provider=account.provider, zone=zone, hint=nearest(zone, account.zones), field="zone")
    for plan in plans:
        plan.everywhere, plan.prices = (
            not plan.prices,
            {key: value for key, value in plan.prices.items() if key == zone},
        )
    return [plan for plan in plans if plan.prices or plan.everywhere]


def marked(account: Account, rows: Any) -> list[Any]:
    """Return the rows that are on offer, each with `stale`: whether they were read too long ago to be relied on."""
    found = list(rows.filter(retired_at=None))
    for row in found:
        row.stale = account.is_stale
    return found
