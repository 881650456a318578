"""Hetzner's servers, from and to our plain values."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.providers.drivers import cloud_init
from apps.providers.drivers.base import Machine, MachineSpec, ProviderError, State
from apps.providers.drivers.hetzner import labels
from apps.providers.drivers.machine_labels import MANAGED, has_identity, identity_labels

REF = re.compile(r"[1-9][0-9]{0,18}")
LARGEST_USER_DATA = 32 * 1024
# Without one of its own ssh keys, Hetzner makes up a password for root, mails it and lets it expire at the first login.
# No password fits `*`, and setting it ends the expiry, which would otherwise shut out a login by key as well.
NO_PASSWORD = {"ssh_pwauth": False, "runcmd": [["usermod", "--password", "*", "root"]]}

# Every other state, known or new, is "unknown": keep looking.
STATES: dict[str, State] = {
    "initializing": "starting",
    "starting": "starting",
    "running": "running",
    "stopping": "stopping",
    "off": "stopped",
    "deleting": "stopping",
}


def machine(server: Mapping[str, Any]) -> Machine:
    """Read a machine from a server object with an id, of a list or alone; its disk is a part of it and has no name."""
    told = labels_of(server)
    return Machine(
        ref=str(server["id"]),
        server_id=labels.decoded(told.get("prov-machine", "")),
        hostname=labels.unpacked(told, "prov-hostname") or str(server.get("name") or ""),
        plan=str(_object(server, "server_type").get("name") or ""),
        zone=str(_object(server, "location").get("name") or ""),
        state=STATES.get(str(server.get("status")), "unknown"),
        ip=_ipv4(_object(server, "public_net", "ipv4").get("ip")),
        created_at=_created_at(server.get("created")),
    )


def labels_of(server: Mapping[str, Any]) -> dict[str, str]:
    """Read the labels of a server."""
    return {key: value for key, value in _object(server, "labels").items() if isinstance(value, str)}


def is_ours(server: Mapping[str, Any], installation: str, server_id: str | None = None) -> bool:
    """Tell whether this installation made the machine and, when given, made it for this server."""
    return has_identity(labels_of(server), encoded_identity(installation, server_id))


def encoded_identity(installation: str, server_id: str | None = None) -> dict[str, str]:
    """Write the labels that machines are found by. Raises Refused, PROVIDER_INVALID, when one cannot be written."""
    found = {key: labels.encoded(text) for key, text in identity_labels(installation, server_id).items()}
    if not all(labels.VALUE.fullmatch(value) for value in found.values()):
        raise ProviderError(
            "PROVIDER_INVALID", "A label at Hetzner cannot hold the installation's name or the server's id."
        )
    return found


def selector(installation: str, server_id: str | None = None) -> str:
    """Write the label selector for what is ours."""
    return ",".join(f"{key}=={value}" for key, value in encoded_identity(installation, server_id).items())


def name(spec: MachineSpec, installation: str) -> str:
    """Name the machine so that one order for a server cannot become two machines: names are unique in a project."""
    whole = "\0".join((installation, spec.server_id, spec.hostname))
    first = re.sub(r"[^a-z0-9-]", "", spec.hostname.partition(".")[0].lower())[:40].strip("-") or "prov"
    return f"{first}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def creation(spec: MachineSpec, installation: str, image: int) -> dict[str, Any]:
    """Write the body that asks for a machine; its addresses are made with it and go with it."""
    config = NO_PASSWORD | cloud_init.access(spec) | cloud_init.host_key(spec)
    return {
        "name": name(spec, installation),
        "server_type": spec.plan,
        "location": spec.zone,
        "image": image,
        "start_after_create": True,
        "public_net": {"enable_ipv4": True, "enable_ipv6": True},
        "labels": _labels(spec, installation),
        "user_data": cloud_init.limited(cloud_init.document(spec, config), largest=LARGEST_USER_DATA, cloud="Hetzner"),
    }


def _labels(spec: MachineSpec, installation: str) -> dict[str, str]:
    found = {MANAGED: "1"} | encoded_identity(installation, spec.server_id)
    found |= labels.packed("prov-hostname", spec.hostname)
    for number, tag in enumerate(spec.tags, start=1):
        found |= labels.packed(f"prov-tag-{number}", tag)
    return found


def _object(thing: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Follow `path` to an object, an empty one when it is not there."""
    found: Any = thing
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _created_at(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _ipv4(text: Any) -> str:
    """Let only a real address through: it becomes part of command lines."""
    try:
        return str(ipaddress.IPv4Address(text)) if isinstance(text, str) else ""
    except ValueError:
        return ""
