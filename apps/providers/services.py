"""Accounts, and what can be ordered at them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers.errors import AccountExists, CatalogueUnread, UnknownPlan, UnknownProvider, UnknownZone
from apps.providers.models import Account, Image, Plan, Zone
from apps.system.services import refused_as
from apps.system.vault import seal
from apps.workspaces.models import Workspace

REFRESH = "catalogue.refresh"


@dataclass(frozen=True)
class Offer:
    """A provider that has a driver: its name for people, and the sets of credentials of which an account needs one."""

    title: str
    credentials: tuple[tuple[str, ...], ...]


# Which providers there are, by name; filled when the app is ready.
offered: dict[str, Offer] = {}

# What makes an image of machines where the provider cannot give one, by the provider's name; filled likewise. Called
# with an account's endpoint, a mirror's URL, and whether to make it anew; returns what was done.
image_builders: dict[str, Callable[..., str]] = {}


@transaction.atomic
def register_account(
    *, provider: str, name: str, endpoint: str, credentials: Mapping[str, str], workspace: Workspace | None = None
) -> Account:
    """Create the account, or give the one of that name a new endpoint and credentials."""
    account, _ = Account.objects.update_or_create(
        provider=provider,
        name=name,
        workspace=workspace,
        defaults={"endpoint": endpoint, "sealed_credentials": seal(dict(credentials)), "enabled": True},
    )
    return account


@transaction.atomic
def create_account(
    *,
    provider: str,
    name: str,
    endpoint: str,
    credentials: Mapping[str, str],
    workspace: Workspace | None = None,
    enabled: bool = True,
    time_limit: int | None = None,
) -> Account:
    """Create an account. Raises AccountExists."""
    with refused_as(AccountExists(provider=provider, name=name)):
        return Account.objects.create(
            provider=provider,
            name=name,
            endpoint=endpoint,
            sealed_credentials=seal(dict(credentials)),
            workspace=workspace,
            enabled=enabled,
            time_limit=time_limit,
        )


@transaction.atomic
def change_account(
    *,
    account: Account,
    name: str,
    endpoint: str,
    workspace: Workspace | None,
    enabled: bool,
    credentials: Mapping[str, str] | None = None,
    time_limit: int | None = None,
) -> Account:
    """Change an account, which keeps its credentials unless new ones are given. Raises AccountExists."""
    facts = {"name": name, "endpoint": endpoint, "workspace": workspace, "enabled": enabled, "time_limit": time_limit}
    if credentials:
        facts["sealed_credentials"] = seal(dict(credentials))
    with refused_as(AccountExists(provider=account.provider, name=name)):
        Account.objects.filter(pk=account.pk).update(**facts)
    account.refresh_from_db()
    return account


def account_offering(workspace: Workspace, *, provider: str, plan: str, zone: str) -> Account:
    """Return the workspace's account at the provider, plan and zone checked against its catalogue: one query.

    Raises UnknownProvider, CatalogueUnread, UnknownPlan, UnknownZone.
    """
    account = Account.objects.usable_in(workspace).filter(provider=provider).offering(plan, zone).first()
    if account is None:
        raise unknown_provider(workspace, provider)
    if account.refreshed_at is None:
        raise CatalogueUnread(provider=provider)
    if not account.has_plan:
        raise UnknownPlan(provider=provider, plan=plan, hint=nearest(plan, account.plans), field="plan")
    if not account.has_zone:
        raise UnknownZone(provider=provider, zone=zone, hint=nearest(zone, account.zones), field="zone")
    return account


def unknown_provider(workspace: Workspace, provider: str) -> UnknownProvider:
    """Say which providers there are instead."""
    known = sorted(set(Account.objects.usable_in(workspace).values_list("provider", flat=True)))
    return UnknownProvider(
        workspace=workspace.name, provider=provider, known=", ".join(known) or "none", field="provider"
    )


def nearest(given: str, offered: QuerySet) -> str:
    """Suggest the names that were probably meant, or list some."""
    names = list(offered.filter(retired_at=None).values_list("name", flat=True))
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
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
