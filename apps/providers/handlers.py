"""Slow work at the clouds themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.conf import settings

from apps.operations.errors import Refused, Retry
from apps.operations.steps import Context, Done
from apps.providers import drivers, services
from apps.providers.drivers import base
from apps.providers.drivers.local import image
from apps.providers.models import Account, Image, Plan, Zone
from apps.system.doctor import Finding, fail, ok, warn
from apps.system.vault import unseal


@contextmanager
def connected(account: Account) -> Iterator[base.Driver]:
    """Give a driver for the account, and close it afterwards."""
    connection = base.Connection(
        endpoint=account.endpoint,
        credentials=unseal(account.sealed_credentials, what=account),
        installation=settings.INSTALLATION,
    )
    with closing(drivers.connect(account.provider, connection)) as driver:
        yield driver


def refresh_catalogue(context: Context) -> Done:
    """Read an account's plans and zones into the database."""
    account = Account.objects.get(pk=context.params["account"])
    with connected(account) as cloud:
        plans, zones, images = cloud.plans(), cloud.zones(), cloud.images()
    services.store_catalogue(
        account=account,
        plans=[plan_row(account, plan) for plan in plans],
        zones=[Zone(account=account, name=zone.name, title=zone.title) for zone in zones],
        images=[
            Image(account=account, name=image.name, title=image.title[:255], position=position)
            for position, image in enumerate(images)
        ],
    )
    return Done({"plans": len(plans), "zones": len(zones), "images": len(images)})


def check_account(context: Context) -> Done:
    """Ask an account's cloud whether it answers and takes the credentials."""
    account = Account.objects.get(pk=context.params["account"])
    with connected(account) as cloud:
        cloud.check()
    return Done({"account": str(account), "works": True})


def plan_row(account: Account, plan: base.Plan) -> Plan:
    """Return the row of a plan; prices become decimal strings, which JSON does not round."""
    prices = {
        zone: {"currency": price.currency, "hourly": str(price.hourly), "monthly": str(price.monthly)}
        for zone, price in plan.prices.items()
    }
    return Plan(
        account=account,
        name=plan.name,
        family=plan.family,
        cpus=plan.cpus,
        memory_mib=plan.memory_mib,
        disk_gib=plan.disk_gib,
        prices=prices,
    )


def build_local_image(**options: Any) -> str:
    """Make the image of this machine's own machines; see the driver's `image.build`. Raises Refused, Transient."""
    return image.build(**options)


# ── what the doctor asks ──────────────────────────────────────────────────────────────────────────────────────────────


def diagnose(account: Account, name: str) -> list[Finding]:
    """Ask an account's cloud whether the credentials work, and say in its public words what is wrong."""
    try:
        with connected(account) as cloud:
            cloud.check()
    except Refused as error:
        return [
            fail(name, error.message, "Do what it says, or mend the account's endpoint and credentials in the admin.")
        ]
    except Retry as error:
        return [fail(name, error.message, "See whether its endpoint can be reached from here.")]
    return [ok(name, "It answers, and takes the credentials.")]


def diagnose_engine(name: str) -> list[Finding]:
    """See whether a container engine answers on this machine, and has the image that machines are made from.

    It is no failure when none does: accounts that need it are asked for themselves.
    """
    connection = base.Connection(endpoint="", credentials={}, installation=settings.INSTALLATION)
    try:
        with closing(drivers.connect("local", connection)) as engine:
            engine.check()
    except (Refused, Retry) as error:
        return [warn(name, error.message, "Only servers that are containers on this machine need it.")]
    return [ok(name, "It answers, and has the image that machines are made from.")]
