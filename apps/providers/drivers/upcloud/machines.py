"""UpCloud's server and storage objects, irregular as they are, from and to our plain values."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from apps.providers.drivers import cloud_init
from apps.providers.drivers.base import Image, Machine, MachineSpec, State
from apps.providers.drivers.machine_labels import has_identity, identity_labels, labels_for, labels_of_tags

DEBIAN_12 = "01000000-0000-4000-8000-000020070100"
SMALLEST_DISK_GIB = 10
LONGEST_LABEL = 255
SSH_PORT = 22

# Every other state, known or new, is "unknown": keep looking. `maintenance` is any change under way, mostly a boot.
STATES: dict[str, State] = {
    "started": "running",
    "stopped": "stopped",
    "maintenance": "starting",
    "error": "error",
    "pending_delete": "stopping",
}


def machine(server: Mapping[str, Any]) -> Machine:
    """Read a machine from a server object with a uuid, of a list or in detail."""
    labels = labels_of(server)
    return Machine(
        ref=server["uuid"],
        server_id=labels.get("prov-machine", ""),
        hostname=_text(server, "hostname"),
        plan=_text(server, "plan"),
        zone=_text(server, "zone"),
        state=STATES.get(_text(server, "state"), "unknown"),
        ip=_public_ipv4(server),
        disks=tuple(
            str(device["storage"])
            for device in _nested(server, "storage_devices", "storage_device")
            if device.get("storage") and device.get("type") != "cdrom"
        ),
        created_at=_created_at(server.get("created")),
        emulated=labels.get("_emulated") == "yes",
        backed=labels.get("_backed") == "yes",
        ssh_port=_port(labels.get("_ssh_port", "")),
    )


def labels_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """Read the labels of a server or a storage; keys in lower case, because UpCloud matches them so."""
    pairs = _nested(thing, "labels", "label")
    return {str(pair.get("key", "")).lower(): str(pair.get("value", "")) for pair in pairs}


def is_ours(server: Mapping[str, Any], installation: str, server_id: str | None = None) -> bool:
    """Tell whether this installation made the machine and, when given, made it for this server."""
    return has_identity(labels_of(server), identity_labels(installation, server_id))


def images(templates: Iterable[Mapping[str, Any]]) -> list[Image]:
    """Read the templates that make a free Linux server, the default one first."""
    usable = [item for item in templates if is_image(item)]
    found = [Image(name=item["uuid"], title=_text(item, "title") or item["uuid"]) for item in usable]
    return sorted(found, key=lambda image: (image.name != DEBIAN_12, image.title))


def is_image(template: Mapping[str, Any]) -> bool:
    """Tell whether a template is a Linux that cloud-init sets up, without a license to pay and not a cluster's node."""
    is_linux = template.get("template_type", "cloud-init") == "cloud-init"
    is_free = not template.get("license") and not _text(template, "title").startswith("UpCloud K8s")
    return isinstance(template.get("uuid"), str) and is_linux and is_free


def creation(spec: MachineSpec, installation: str) -> dict[str, Any]:
    """Write the body that asks for a machine; without a storage tier, so that the plan's own one is used."""
    login: dict[str, Any] = {"username": "root", "create_password": "no"}
    if spec.ssh_keys:
        login["ssh_keys"] = {"ssh_key": list(spec.ssh_keys)}
    server = {
        "zone": spec.zone,
        "title": f"{spec.hostname} ({spec.server_id})",
        "hostname": spec.hostname,
        "plan": spec.plan,
        "metadata": "yes",
        "timezone": "UTC",
        "firewall": "off",
        "simple_backup": "no",
        "password_delivery": "none",
        "remote_access_enabled": "no",
        "login_user": login,
        "labels": {"label": _labels(spec, installation)},
        "networking": {"interfaces": {"interface": [_interface("public"), _interface("utility")]}},
        "storage_devices": {"storage_device": [_root_disk(spec, installation)]},
    }
    return {"server": server | ({"user_data": user_data} if (user_data := _user_data(spec)) else {})}


def _user_data(spec: MachineSpec) -> str:
    """Return the order's user data, with the host key added to it; the login and the name go another way here.

    A URL, which UpCloud takes in place of user data, becomes the file that cloud-init includes.
    """
    if not spec.host_key:
        return spec.user_data
    if spec.user_data.startswith(("http://", "https://")):
        spec = replace(spec, user_data=f"#include\n{spec.user_data}\n")
    return cloud_init.document(spec, cloud_init.host_key(spec))


def disk_title(server_id: str, installation: str) -> str:
    """Name the disks of a machine; labels do not spread to a disk, so that this title identifies it."""
    return f"{server_id} root ({installation})"


def is_disk(storage: Mapping[str, Any], title: str) -> bool:
    """Tell whether a storage is a disk with exactly this title: a copy, backup or template of it is somebody's data."""
    return storage.get("title") == title and storage.get("type", "disk") in ("disk", "normal")


def attached_to(storage: Mapping[str, Any]) -> set[str]:
    """Read which servers a storage is attached to."""
    holder = storage.get("servers")
    servers = holder.get("server") if isinstance(holder, Mapping) else holder
    return {ref for ref in servers if isinstance(ref, str)} if isinstance(servers, list) else set()


def _labels(spec: MachineSpec, installation: str) -> list[dict[str, str]]:
    labels = labels_for(spec.server_id, installation) | labels_of_tags(spec.tags, longest=LONGEST_LABEL)
    return [{"key": key, "value": value} for key, value in labels.items()]


def _interface(kind: str) -> dict[str, Any]:
    return {"type": kind, "ip_addresses": {"ip_address": [{"family": "IPv4"}]}}


def _root_disk(spec: MachineSpec, installation: str) -> dict[str, Any]:
    size = max(spec.disk_gib, SMALLEST_DISK_GIB)
    title = disk_title(spec.server_id, installation)
    return {"action": "clone", "storage": spec.image or DEBIAN_12, "title": title, "size": size}


def _text(thing: Mapping[str, Any], key: str) -> str:
    value = thing.get(key)
    return value if isinstance(value, str) else ""


def _nested(thing: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Follow `path` to a list of objects; UpCloud wraps a list in an object in one place and not in another."""
    found: Any = thing
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else found
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _public_ipv4(server: Mapping[str, Any]) -> str:
    """Find the public address by the interface's type; the flat list of addresses is not complete."""
    for interface in _nested(server, "networking", "interfaces", "interface"):
        for address in _nested(interface, "ip_addresses", "ip_address"):
            if interface.get("type") == "public" and address.get("family") == "IPv4":
                return _ipv4(address.get("address"))
    return ""


def _ipv4(text: Any) -> str:
    """Let only a real address through: it becomes part of command lines."""
    try:
        return str(ipaddress.IPv4Address(text)) if isinstance(text, str) else ""
    except ValueError:
        return ""


def _port(text: str) -> int:
    """Read where an emulation's SSH listens, 22 where no usable port is given."""
    return int(text) if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 2**16 else SSH_PORT


def _created_at(created: Any) -> datetime | None:
    """Read a time given in Unix seconds, as servers have it."""
    try:
        return datetime.fromtimestamp(int(created), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
