"""What can be ordered at an account: choosing it, reading it, showing it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers import registry
from apps.providers.errors import AccountUnusable, UnknownPlan, UnknownProvider, UnknownZone
from apps.providers.models import CloudAccount, Image, Plan, Zone
from apps.system.errors import NotFound
from apps.workspaces.models import Workspace

REFRESH = "catalog.refresh"
PORTABLE = re.compile(r"([1-9][0-9]{0,3})xCPU-([1-9][0-9]{0,4})GB")


@dataclass(frozen=True)
class Offering:
    """What an order resolves to: the account, and the name of the provider's own plan.

    `size` is empty while the account's plans were never read.
    """

    account: CloudAccount
    size: str


def offering(workspace: Workspace, *, provider: str, plan: str, zone: str) -> Offering:
    """Return the workspace's account at the provider and the plan that is meant, both checked against its catalog.

    Where its plans were never read, the reading begins, and it is the caller's part to ask `size_of` after that. Raises
    UnknownProvider, AccountUnusable, UnknownPlan, UnknownZone.
    """
    account = CloudAccount.objects.usable_in(workspace).filter(provider=provider).offering(plan, zone).first()
    if account is None:
        raise unknown_provider(workspace, provider)
    is_read = account.refreshed_at is not None or begin_reading(account)
    return Offering(account, meant_size(account, plan, zone) if is_read else "")


def size_of(account: CloudAccount, *, plan: str, zone: str) -> str:
    """Return the plan that is meant at an account whose plans have been read. Raises UnknownPlan, UnknownZone."""
    return meant_size(CloudAccount.objects.offering(plan, zone).get(pk=account.pk), plan, zone)


def meant_size(account: Any, plan: str, zone: str) -> str:
    """Return the plan that is meant, for an account that is annotated by `AccountQuerySet.offering`.

    A plan's own name goes before the portable meaning of names like `2xCPU-4GB`. Raises UnknownPlan, UnknownZone.
    """
    if not account.has_zone:
        hint = nearest(zone, account.zones.all())
        raise UnknownZone(provider=account.provider, zone=zone, hint=hint, field="zone")
    size = plan if account.has_plan else fitting(account, plan, zone)
    if size is None:
        hint = nearest_plan(account, plan)
        raise UnknownPlan(provider=account.provider, plan=plan, hint=hint, field="plan")
    return size


def begin_reading(account: CloudAccount) -> bool:
    """Queue the first reading of an account's plans unless that is under way; False, for they are not there yet.

    Raises AccountUnusable when it has failed.
    """
    under_way = Operation.objects.unfinished().filter(target=f"catalog:{account.pk}")
    if account.problem and not under_way.exists():
        raise AccountUnusable(provider=account.provider, problem=account.problem)
    with suppress(TargetBusy):
        refresh_catalog(account=account)
    return False


def fitting(account: CloudAccount, portable: str, zone: str) -> str | None:
    """Return the cheapest plan that has at least the processors and memory of a portable name, None without one.

    One whose price in the zone is not known comes after all others; of equals, the smallest.
    """
    match = PORTABLE.fullmatch(portable)
    if not match:
        return None
    cpus, memory = int(match[1]), int(match[2]) * 1024
    plans = account.plans.filter(retired_at=None, cpus__gte=cpus, memory_mib__gte=memory)
    best = min(plans, key=lambda plan: (*cost(plan, zone), plan.cpus, plan.memory_mib, plan.name), default=None)
    return best.name if best else None


def cost(plan: Plan, zone: str) -> tuple[bool, Decimal]:
    """Return what a plan is sorted by: whether its price is unknown, and the price."""
    price = plan.price_in(zone)
    return (price is None, Decimal(price["monthly"]) if price else Decimal(0))


def unknown_provider(workspace: Workspace, provider: str) -> UnknownProvider:
    """Say which providers there are instead."""
    known = sorted(set(CloudAccount.objects.usable_in(workspace).values_list("provider", flat=True)))
    return UnknownProvider(
        workspace=workspace.name, provider=provider, known=", ".join(known) or "none", field="provider"
    )


def nearest_plan(account: CloudAccount, given: str) -> str:
    """Suggest plans by their own names and by portable ones; of a size that is too large, say so."""
    sizes = account.plans.filter(retired_at=None).values_list("cpus", "memory_mib")
    if PORTABLE.fullmatch(given):
        cpus, memory = max(sizes, default=(0, 0))
        return f" None of its plans is that large; the largest has {cpus} CPUs and {memory / 1024:g} GiB of memory."
    portable = {f"{cpus}xCPU-{memory // 1024}GB" for cpus, memory in sizes if memory >= 1024}
    return nearest(given, account.plans.all(), also=portable)


def nearest(given: str, offered: QuerySet, also: Iterable[str] = ()) -> str:
    """Suggest the names that were probably meant, some of `also` among them, or list some of what is offered."""
    names = list(offered.filter(retired_at=None).values_list("name", flat=True))
    known = sorted({*names, *also})
    close = difflib.get_close_matches(given, known, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    return f" It has {', '.join(names[:12])}{' and more' if len(names) > 12 else ''}." if names else ""


@transaction.atomic
def refresh_catalog(*, account: CloudAccount, actor: User | None = None) -> Operation:
    """Queue the reading of an account's plans and zones. Raises TargetBusy."""
    return submit(
        kind=REFRESH,
        workspace=account.workspace,
        actor=actor,
        target=f"catalog:{account.pk}",
        params={"account": account.pk},
    )


def refresh_all() -> None:
    """Queue the reading of every enabled account's catalog, leaving out those under way.

    An account that was read before and does not work now is left out too, so that dead accounts occupy no worker:
    `check_accounts` sees that it works again.
    """
    for account in CloudAccount.objects.filter(Q(problem="") | Q(refreshed_at=None), enabled=True):
        with suppress(TargetBusy):
            refresh_catalog(account=account)


@transaction.atomic
def store_catalog(
    *, account: CloudAccount, plans: Iterable[Plan], zones: Iterable[Zone], images: Iterable[Image]
) -> None:
    """Replace an account's catalog; what is no longer offered is kept, marked as retired."""
    now = timezone.now()
    plan_fields = ["family", "cpus", "memory_mib", "disk_gib", "prices", "retired_at"]
    store_rows(account.plans.all(), list(plans), plan_fields, now)
    store_rows(account.zones.all(), list(zones), ["title", "retired_at"], now)
    store_rows(account.images.all(), list(images), ["title", "position", "retired_at"], now)
    CloudAccount.objects.filter(pk=account.pk).update(refreshed_at=now)


Row = TypeVar("Row", Plan, Zone, Image)


def store_rows(known: QuerySet[Row], rows: list[Row], fields: list[str], retired_at: datetime) -> None:
    """Insert or update an account's rows of one table by name, and mark those with other names as retired."""
    known.filter(retired_at=None).exclude(name__in=[row.name for row in rows]).update(retired_at=retired_at)
    known.model._default_manager.bulk_create(
        rows, update_conflicts=True, update_fields=fields, unique_fields=["account", "name"]
    )


# ── showing it ────────────────────────────────────────────────────────────────────────────────────────────────────────
def providers() -> list[dict[str, Any]]:
    """Return every provider that has a driver, with its accounts, and whether one of them works; one query."""
    accounts: dict[str, list[CloudAccount]] = {name: [] for name in registry.drivers()}
    for account in CloudAccount.objects.select_related("workspace").order_by(
        "provider", F("workspace").asc(nulls_first=True), "name"
    ):
        accounts.setdefault(account.provider, []).append(account)
    return [
        {"name": name, "title": registry.drivers()[name].title, **state_of(found), "accounts": found}
        for name, found in sorted(accounts.items())
        if name in registry.drivers()
    ]


def state_of(accounts: list[CloudAccount]) -> dict[str, Any]:
    """Say whether servers can be ordered with any of the accounts, and if not, why."""
    enabled = [account for account in accounts if account.enabled]
    if any(account.refreshed_at and not account.problem for account in enabled):
        return {"available": True, "problem": None}
    problems = [account.problem or "Its plans have not been read yet." for account in enabled]
    return {
        "available": False,
        "problem": next(iter(problems), "There is no account at it; an administrator adds one."),
    }


def account_shown(provider: str, workspace: Workspace | None) -> CloudAccount:
    """Return the account whose catalog is shown: the workspace's, or without one a shared account.

    Raises NotFound.
    """
    enabled = CloudAccount.objects.filter(provider=provider, enabled=True)
    shared_first = enabled.order_by(F("workspace").asc(nulls_first=True), "name")
    account = (enabled.usable_in(workspace) if workspace else shared_first).first()
    if account is None:
        raise NotFound(what="account at the provider", id=provider)
    return account


def plans_shown(account: CloudAccount, zone: str | None) -> list[Plan]:
    """Return an account's plans, marked; those that can be had in a zone, with its price only, when one is given.

    A provider without prices has its plans in every zone. Raises UnknownZone.
    """
    plans = marked(account, account.plans)
    if zone is None:
        return plans
    if not account.zones.filter(name=zone, retired_at=None).exists():
        raise UnknownZone(provider=account.provider, zone=zone, hint=nearest(zone, account.zones.all()), field="zone")
    for plan in plans:
        plan.everywhere, plan.prices = (
            not plan.prices,
            {key: value for key, value in plan.prices.items() if key == zone},
        )
    return [plan for plan in plans if plan.prices or plan.everywhere]


def marked(account: CloudAccount, rows: Any) -> list[Any]:
    """Return the rows that are on offer, each with `stale`: whether they were read too long ago to be relied on."""
    found = list(rows.filter(retired_at=None))
    for row in found:
        row.stale = account.is_stale
    return found
