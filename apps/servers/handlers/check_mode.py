"""Check mode of a creation: ask the cloud whether the machine could be ordered, and order nothing."""

from __future__ import annotations

from typing import Any

from apps.operations.handler_api import Context, Done, Wait
from apps.providers.drivers.base import Price, ProviderError
from apps.providers.handlers import connected, wait_for_catalog
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.servers.services.create import choose_size


def check_creation(context: Context) -> Done | Wait:
    """Ask the cloud whether the machine could be ordered, and at what price; change nothing."""
    requested = context.params["wanted"]
    account = CloudAccount.objects.get(pk=context.params["account"])
    if not requested["size"]:
        if waiting := wait_for_catalog(account):
            return waiting
        facts = {name: requested[name] for name in ("plan", "zone")} | {"image": requested.get("image", "")}
        requested = requested | {"size": choose_size(Server(account=account, **facts))}
    with connected(account) as cloud:
        plan = next((plan for plan in cloud.plans() if plan.name == requested["size"]), None)
        zones = {zone.name for zone in cloud.zones()}
        images = {image.name for image in cloud.images()} if requested.get("image") else set()
    if plan is None:
        raise ProviderError("PROVIDER_INVALID", f"{account} no longer offers the plan {requested['size']}.")
    if requested["zone"] not in zones:
        raise ProviderError("PROVIDER_INVALID", f"{account} no longer has the zone {requested['zone']}.")
    if requested.get("image") and requested["image"] not in images:
        raise ProviderError("PROVIDER_INVALID", f"{account} no longer has the image {requested['image']}.")
    if requested["size"] == requested["plan"]:
        requested = {name: value for name, value in requested.items() if name != "size"}
    changes = [{"action": "create", "resource": "server", **requested}]
    return Done({"check_mode": True, "changes": changes, "price": price_shape(plan.prices.get(requested["zone"]))})


def price_shape(price: Price | None) -> dict[str, Any] | None:
    """Return a price as JSON: decimal strings, which no client rounds; None where the cloud does not tell."""
    if price is None:
        return None
    return {"currency": price.currency, "hourly": str(price.hourly), "monthly": str(price.monthly)}
