"""What the emulated cloud sells: zones, plans, prices and templates, read from `catalog.json`."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

Item = dict[str, Any]


@cache
def data() -> dict[str, Any]:
    """Read the data file, once a process."""
    return json.loads(Path(__file__).with_name("catalog.json").read_text())


def zones() -> list[Item]:
    """List the zones as `GET /zone` shows them."""
    return [without(zone, "price_factor") for zone in data()["zones"]]


def plans() -> list[Item]:
    """List the plans as `GET /plan` shows them: cores and MiB are numbers here."""
    return [without(plan, "hourly", "unpriced_in") for plan in data()["plans"]]


def prices() -> list[Item]:
    """List what each priced zone charges, in cents per hour, as `GET /price` shows it."""
    return [{"name": zone["id"], **zone_prices(zone["id"])} for zone in data()["zones"] if "price_factor" in zone]


def zone_prices(zone_id: str) -> dict[str, Item]:
    """Give each price item of a zone; a private zone charges what its parent does."""
    zone = next(zone for zone in data()["zones"] if zone["id"] == zone_id)
    if "price_factor" not in zone:
        return zone_prices(zone["parent_zone"])
    sold = [plan for plan in data()["plans"] if zone_id not in plan.get("unpriced_in", ())]
    items = {f"server_plan_{plan['name']}": {"amount": 1, "price": plan["hourly"]} for plan in sold} | data()["items"]
    return {name: item | {"price": round(item["price"] * zone["price_factor"], 4)} for name, item in items.items()}


def templates() -> list[Item]:
    """List the templates as `GET /storage/template` shows them."""
    return [template_shape(template) for template in data()["templates"]]


def template_shape(template: Item) -> Item:
    """Shape one template: a public one has no zone, tier or creation time; a private one has no `template_type`."""
    private = "zone" in template
    extra = ("zone", "tier", "created") if private else ("template_type",)
    labels = [{"key": "_os_type", "value": template["os_type"]}]
    if private:
        labels.append({"key": "_template_uuid", "value": template["origin"]})
    return {
        "uuid": template["uuid"],
        "title": template["title"],
        "type": "template",
        **{name: template[name] for name in extra},
        "access": "private" if private else "public",
        "state": "online",
        "size": template["size"],
        "license": template["license"],
        "encrypted": "no",
        "labels": labels if private else [],
    }


def find(items: Iterable[Item], key: str, value: object) -> Item | None:
    """Find the item that has `value` at `key`."""
    return next((item for item in items if item.get(key) == value), None)


def without(item: Item, *names: str) -> Item:
    """Copy an item without some of its keys."""
    return {name: value for name, value in item.items() if name not in names}
