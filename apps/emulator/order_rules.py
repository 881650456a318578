"""The rules of a create that look at the catalog and at what the account already has."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from apps.emulator import addresses, catalog, disks, labels
from apps.emulator.request_validation import Attributes, check_text, nested
from apps.emulator.requests import UUID, only
from apps.emulator.responses import refuse
from apps.emulator.state_timeline import is_creating

DEVICE = {"action", "storage", "title", "size", "tier", "encrypted", "address", "type", "labels"}
TIERS = ("maxiops", "standard", "hdd")
SIZES = range(10, 4097)


def sizes(attributes: Attributes) -> dict[str, str]:
    """Find the plan, cores and memory (MiB) that a request means; servers spell numbers as text."""
    name = attributes.get("plan", "custom")
    if name == "custom":
        cores, memory = (
            number(attributes, "core_number", range(1, 81)),
            number(attributes, "memory_amount", range(1024, 524289)),
        )
        return {"plan": name, "core_number": str(cores), "memory_amount": str(memory)}
    plan = plan_named(name)
    return {"plan": name, "core_number": str(plan["core_number"]), "memory_amount": str(plan["memory_amount"])}


def plan_named(name: object) -> dict[str, Any]:
    """Find a plan that can be ordered."""
    plan = catalog.find(catalog.plans(), "name", name)
    if plan is None or plan["current_offering"] == "no":
        refuse("PLAN_INVALID", f"The plan {name} does not exist.")
    return plan


def number(attributes: Attributes, name: str, allowed: range) -> int:
    """Read a whole number, spelled as a number or as text."""
    value = attributes.get(name)
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) not in allowed:
        refuse(f"{name.upper()}_INVALID", f"The {name} attribute is invalid.")
    return int(str(value))


def check_zone(zone: str) -> None:
    """Refuse a zone that does not exist."""
    if not catalog.find(catalog.zones(), "id", zone):
        refuse("ZONE_NOT_FOUND", f"The zone {zone} does not exist.", 404)


def check_room(
    db: sqlite3.Connection, attributes: Attributes, size: Mapping[str, str], settings: Attributes, now: float
) -> None:
    """Refuse when the zone or plan is full, too many creates run at once, or a limit of the account is reached."""
    if attributes["zone"] in settings["zones_full"] or size["plan"] in settings["plans_full"]:
        refuse("SERVER_RESOURCES_UNAVAILABLE", f"There is no room for the server in {attributes['zone']}.", 409)
    rows = db.execute("SELECT doc, phases FROM servers").fetchall()
    creating = sum(is_creating(json.loads(row["phases"]), now) for row in rows)
    if settings["max_concurrent_creates"] is not None and creating >= settings["max_concurrent_creates"]:
        refuse("SERVER_CREATING_LIMIT_REACHED", "Too many servers are being created.", 409)
    check_quota(
        [json.loads(row["doc"]) for row in rows] + [dict(size)], addresses.held(db, "public IPv4") + 1, settings
    )


def check_quota(servers: list[Attributes], public_ipv4: int, settings: Attributes) -> None:
    """Refuse what would take the account over its limits."""
    limits = catalog.data()["resource_limits"] | settings["resource_limits"]
    used = {
        "cores": ("SERVER_CORE_LIMIT_REACHED", sum(int(server["core_number"]) for server in servers)),
        "memory": ("SERVER_MEMORY_LIMIT_REACHED", sum(int(server["memory_amount"]) for server in servers)),
        "public_ipv4": ("SERVER_IP_LIMIT_REACHED", public_ipv4),
    }
    for name, (code, total) in used.items():
        if total > limits[name]:
            refuse(code, f"The limit of {limits[name]} on {name} is reached.", 403)


def check_devices(db: sqlite3.Connection, attributes: Attributes, plan: str) -> list[disks.Disk]:
    """Check the requested disks and describe each as it will be."""
    if "storage_devices" not in attributes:
        refuse("STORAGE_DEVICES_MISSING", "The storage_devices attribute is missing.")
    devices = nested(attributes, "storage_devices", "storage_device")
    if not devices:
        refuse("STORAGE_DEVICES_MISSING", "A server needs at least one storage device.")
    if len(devices) > 16:
        refuse("STORAGE_DEVICE_LIMIT_REACHED", "A server has at most 16 storage devices.", 409)
    found = [described(db, device, attributes, plan) for device in devices]
    if sum(disk["is_template"] for disk in found) > 1:
        refuse("MULTIPLE_TEMPLATES", "Only one of the storage devices can be made from a template.", 409)
    return found


def described(db: sqlite3.Connection, device: Any, attributes: Attributes, plan: str) -> disks.Disk:
    """Check one requested disk and describe it as it will be."""
    if not isinstance(device, dict):
        refuse("STORAGE_DEVICE_INVALID", "A storage device must be an object.")
    only(device, DEVICE, "storage_device")
    action = device.get("action") or refuse("ACTION_MISSING", "The action attribute is missing.")
    if action not in ("clone", "create"):
        refuse("ACTION_INVALID", "The action is invalid.")
    if "title" not in device:
        refuse("STORAGE_TITLE_MISSING", "The title attribute is missing.")
    check_text(device["title"], 255, "STORAGE_TITLE_INVALID")
    origin = source(db, device, attributes) if action == "clone" else {}
    return {
        "title": device["title"],
        "zone": attributes["zone"],
        "size": disk_size(device, origin),
        "tier": tier(device, plan),
        "encrypted": device.get("encrypted", "no"),
        "origin": origin.get("uuid"),
        "is_template": origin.get("type") == "template",
        "labels": [*labels.checked(device.get("labels", [])), *system_labels(origin)],
    }


def source(db: sqlite3.Connection, device: Attributes, attributes: Attributes) -> dict[str, Any]:
    """Find the template or disk to clone, and check that it can be cloned like this."""
    uuid = device.get("storage") or refuse("STORAGE_MISSING", "The storage attribute is missing.")
    if not isinstance(uuid, str) or not UUID.fullmatch(uuid):
        refuse("STORAGE_INVALID", "The storage UUID is invalid.")
    found = catalog.find(catalog.templates(), "uuid", uuid) or disks.find(db, uuid)
    if found is None:
        refuse("STORAGE_NOT_FOUND", f"The storage {uuid} does not exist.", 404)
    if found.get("zone", attributes["zone"]) != attributes["zone"]:
        refuse("ZONE_MISMATCH", f"The storage {uuid} is in another zone.", 409)
    if found.get("template_type") == "cloud-init":
        check_cloud_init(attributes)
    return found


def check_cloud_init(attributes: Attributes) -> None:
    """Refuse what cloud-init images cannot do: without metadata, or with a password of the cloud's making."""
    if attributes.get("metadata") != "yes":
        message = "The metadata service must be enabled for servers made from cloud-init templates."
        refuse("METADATA_DISABLED_ON_CLOUD-INIT", message, 409)
    if attributes.get("login_user", {}).get("create_password") == "yes":
        refuse("CREATE_PASSWORD_INVALID", "No password can be created for cloud-init templates.")


def disk_size(device: Attributes, origin: Mapping[str, Any]) -> int:
    """Read a disk's size in GiB: at least 10, and at least what it is cloned from; without one, exactly that."""
    if "size" not in device:
        return max(10, origin["size"]) if origin else refuse("SIZE_MISSING", "The size attribute is missing.")
    size = number(device, "size", SIZES)
    if size < origin.get("size", 0):
        refuse("SIZE_INVALID", f"The size must be at least {origin['size']} GiB.")
    return size


def tier(device: Attributes, plan: str) -> str:
    """Read a disk's tier, by default the plan's; developer plans have no MaxIOPS."""
    offered = catalog.find(catalog.plans(), "name", plan) or {}
    chosen = device.get("tier", offered.get("storage_tier") or "maxiops")
    if chosen not in TIERS:
        refuse("TIER_INVALID", "The tier attribute is invalid.")
    if chosen == "maxiops" and offered.get("family") == "developer":
        refuse("STORAGE_TIER_ILLEGAL", f"The plan {plan} does not allow the tier {chosen}.", 409)
    return chosen


def system_labels(origin: Mapping[str, Any]) -> labels.Labels:
    """Label a disk with the template it is cloned from."""
    template = catalog.find(catalog.data()["templates"], "uuid", origin.get("uuid"))
    if template is None:
        return [label for label in origin.get("labels", []) if label["key"].startswith("_")]
    return [
        {"key": "_os_type", "value": template["os_type"]},
        {"key": "_template_uuid", "value": template.get("origin", template["uuid"])},
    ]
