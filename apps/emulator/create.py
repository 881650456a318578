"""Creating a server: 202 at once, in `maintenance`, with the addresses and disks that it will keep."""

import secrets
import sqlite3
import uuid
from typing import Any

from apps.emulator import (
    addresses,
    billing,
    catalog,
    containers,
    disks,
    labels,
    ledger,
    order_rules,
    request_validation,
    servers,
    state,
    state_timeline,
)
from apps.emulator.requests import Call
from apps.emulator.responses import Answer, ApiError
from apps.emulator.settings import read_settings
from apps.providers.drivers.base import Machine

DEFAULTS = {
    "boot_order": "disk",
    "firewall": "off",
    "metadata": "no",
    "nic_model": "virtio",
    "video_model": "cirrus",
    "timezone": "UTC",
    "simple_backup": "no",
    "remote_access_enabled": "no",
    "remote_access_type": "vnc",
    "server_group": None,
}
UTILITY_NETWORK = "03aaaaaa-bbbb-4ccc-8ddd-eeeeffff0002"
PUBLIC_NETWORK = "03000000-0000-4000-8044-000000000000"


def create(call: Call) -> Answer:
    """Answer `POST /server`: make the container if there is to be one, then check and write all down."""
    attributes = call.wrapped("server")
    own = f"00{str(uuid.uuid4())[2:]}"
    machine = launched(call, attributes, own) if containers.are_enabled() else None
    try:
        with state.changing() as db:
            return stored(call, db, attributes, own, machine)
    except ApiError:
        if machine:
            containers.remove(own)
        raise


def launched(call: Call, attributes: request_validation.Attributes, own: str) -> Machine | None:
    """Make a container for what can be created, checked before as well: an engine takes its time."""
    with state.reading() as db:
        size, _ = checked(call, db, attributes)
    return containers.launch(own, attributes, size)


def checked(
    call: Call, db: sqlite3.Connection, attributes: request_validation.Attributes
) -> tuple[dict[str, str], list[disks.Disk]]:
    """Refuse what cannot be created now; gives the size and the disks."""
    request_validation.check_create(attributes)
    order_rules.check_zone(attributes["zone"])
    size = order_rules.sizes(attributes)
    made = order_rules.check_devices(db, attributes, size["plan"])
    billing.refuse_without_credits(db, read_settings(db), call.now)
    order_rules.check_room(db, attributes, size, read_settings(db), call.now)
    return size, made


def stored(
    call: Call, db: sqlite3.Connection, attributes: request_validation.Attributes, own: str, machine: Machine | None
) -> Answer:
    """Write the server down, and show it as it is at its beginning."""
    size, made = checked(call, db, attributes)
    settings, server = read_settings(db), built(db, attributes, own, size, call.now)
    if machine:
        stand_behind(server, machine)
    servers.store(db, server, call.now, state_timeline.create(call.now, settings["boot_seconds"]))
    billing.charge(db, server["uuid"], billing.server_hourly(server), call.now)
    add_disks(db, server, made, call.now, settings["boot_seconds"] / 2)
    facts = {"hostname": server["hostname"], "labels": server["labels"]["label"]} | cloud_init_data(attributes)
    ledger.note(db, call.now, "create", server["uuid"], **facts)
    shown = servers.details(db, server["uuid"], call.now, "maintenance") | {"progress": "0"}
    return Answer(202, {"server": shown | login(attributes, made)})


def stand_behind(server: servers.Server, machine: Machine) -> None:
    """Give a server the address of its container, and say that it has one."""
    server["labels"]["label"] += labels.backed(machine.ssh_port)
    for interface in server["networking"]["interfaces"]["interface"]:
        for address in interface["ip_addresses"]["ip_address"]:
            if interface["type"] == "public" and address["family"] == "IPv4":
                address["address"] = machine.ip
                return


def built(
    db: sqlite3.Connection, attributes: request_validation.Attributes, own: str, size: dict[str, str], now: float
) -> servers.Server:
    """Build a server as it is stored."""
    user_labels = labels.of_server(attributes.get("labels", {"label": []}))
    return {
        "uuid": own,
        "title": attributes["title"],
        "hostname": attributes["hostname"],
        "zone": attributes["zone"],
        **size,
        **{name: attributes.get(name, default) for name, default in DEFAULTS.items()},
        "created": int(now),
        "license": 0,
        "remote_access_password": attributes.get("remote_access_password", secrets.token_hex(4)),
        "plan_ipv4_bytes": "0",
        "plan_ipv6_bytes": "0",
        "tags": {"tag": []},
        "labels": {"label": [*user_labels, labels.EMULATED]},
        "networking": {"interfaces": {"interface": interfaces(db, attributes, own)}},
    }


def interfaces(db: sqlite3.Connection, attributes: request_validation.Attributes, server: str) -> list[dict[str, Any]]:
    """Build the interfaces, each with addresses that no other server holds."""
    return [
        {
            "index": index,
            "type": kind,
            "mac": f"ee:1b:db:{secrets.token_hex(1)}:{secrets.token_hex(1)}:{index:02x}",
            "bootable": "no",
            "source_ip_filtering": "yes",
            "network": network or (PUBLIC_NETWORK if kind == "public" else UTILITY_NETWORK),
            "ip_addresses": {"ip_address": [address(db, kind, family, server) for family in families]},
        }
        for index, (kind, families, network) in enumerate(request_validation.interfaces(attributes), start=1)
    ]


def address(db: sqlite3.Connection, kind: str, family: str, server: str) -> dict[str, str]:
    """Build one address of an interface."""
    taken = addresses.take(db, kind, family, server)
    return {
        "address": taken,
        "family": family,
        "floating": "no",
        "dhcp_provided": "yes",
        "release_policy": "release",
    }


def add_disks(
    db: sqlite3.Connection, server: servers.Server, made: list[disks.Disk], now: float, seconds: float
) -> None:
    """Store the disks and charge for what the plan does not include; it includes GiB on the first disk only."""
    plan = catalog.find(catalog.plans(), "name", server["plan"]) or {"storage_size": 0}
    for index, described in enumerate(made):
        disk = disks.new(described, server["uuid"], now, seconds)
        disks.store(db, disk)
        included = plan["storage_size"] if index == 0 else 0
        billing.charge(db, disk["uuid"], billing.disk_hourly(disk, included), now)


def cloud_init_data(attributes: request_validation.Attributes) -> dict[str, Any]:
    """Return the user and password for the first boot; the API never shows them again."""
    keys = attributes.get("login_user", {}).get("ssh_keys", {}).get("ssh_key", [])
    return {"ssh_keys": keys, "user_data": attributes.get("user_data", "")}


def login(attributes: request_validation.Attributes, made: list[disks.Disk]) -> dict[str, str]:
    """Return the login; a generated password is in this answer only."""
    user = attributes.get("login_user", {})
    credentials = {"username": user.get("username", "root")}
    if user.get("create_password", "no") == "yes" and any(disk["is_template"] for disk in made):
        credentials["password"] = secrets.token_urlsafe(12)
    return credentials
