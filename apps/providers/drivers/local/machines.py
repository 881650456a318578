"""Containers as machines: sizes, addresses, and the engine's objects from and to our plain values."""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from apps.providers.drivers.base import Machine, MachineSpec, Plan, Price, State
from apps.providers.drivers.machine_labels import has_identity, identity_labels, labels_for

ZONE = "local"
SSH_PORT = 22
SSH_FOLDER = "/etc/ssh"
# The image's own configuration names its Ed25519 key, so that any other key has to be named as well.
HOST_KEYS = "HostKey /etc/ssh/ssh_host_ecdsa_key\nHostKey /etc/ssh/ssh_host_ed25519_key\n"
LOOPBACK, PUBLISHED_PORT = IPv4Network("127.78.0.0/16"), 2222
GIB = 2**30
LONGEST_HOSTNAME = 64  # of Linux
FRESH_SECONDS, KNOCK_SECONDS = 60, 1.0
SIZES = ((1, 1), (1, 2), (2, 2), (2, 4), (4, 8), (6, 16), (8, 32))  # processors, memory in GiB
FREE = Price(currency="EUR", hourly=Decimal(0), monthly=Decimal(0))

STATES: dict[str, State] = {
    "created": "stopped",
    "configured": "stopped",
    "exited": "stopped",
    "stopped": "stopped",
    "running": "running",
    "restarting": "starting",
    "stopping": "stopping",
    "removing": "stopping",
    "dead": "error",
}


@dataclass(frozen=True)
class Place:
    """Where a machine is reached; `is_published` when its port is one of the host's."""

    ip: str
    port: int
    is_published: bool


def plans(facts: Mapping[str, Any]) -> list[Plan]:
    """Return the sizes that the engine's machine has room for; a container's disk is the host's, without a limit."""
    memory_gib = int(facts.get("MemTotal") or 0) / GIB
    fitting = [size for size in SIZES if size[0] <= facts["NCPU"] and size[1] <= memory_gib * 1.1]
    return [
        Plan(name=f"{cpus}xCPU-{gib}GB", cpus=cpus, memory_mib=gib * 1024, disk_gib=0, prices={ZONE: FREE})
        for cpus, gib in fitting
    ]


def mac_address(ip: str) -> str:
    """Return the hardware address of a machine, made from its IP address as Docker does.

    Podman would draw another at each start, and for up to a minute the host would go on sending to the old one.
    """
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + IPv4Address(ip).packed)


def free_place(taken: Collection[str], subnet: IPv4Network | None) -> Place:
    """Choose an address that no container has, at random, so that two who choose at once rarely choose the same.

    It is one of the subnet, or without one, where containers have no address that the host reaches, an address of the
    host's own at which the SSH port is published.
    """
    network = subnet or LOOPBACK
    while True:
        ip = str(network[random.randrange(2, network.num_addresses - 1)])
        if ip not in taken:
            return Place(ip, SSH_PORT if subnet else PUBLISHED_PORT, is_published=subnet is None)


def labels(spec: MachineSpec, installation: str, place: Place) -> dict[str, str]:
    """Return what is written on a machine; the list of containers shows it, so that no machine is asked for singly."""
    return {
        **labels_for(spec.server_id, installation),
        "prov-tags": ",".join(spec.tags),
        "prov-hostname": spec.hostname,
        "prov-plan": spec.plan,
        "prov-address": place.ip,
        "prov-port": str(place.port),
    }


def environment(spec: MachineSpec) -> dict[str, str]:
    """Return what the image's first process reads on the first boot."""
    given = {"MACHINE_ID": spec.server_id, "MACHINE_SSH_KEYS": "\n".join(spec.ssh_keys)}
    if spec.user_data:
        given["MACHINE_USER_DATA"] = base64.b64encode(spec.user_data.encode()).decode()
    return given


def host_key_files(private_key: str) -> dict[str, str]:
    """Return the files of `SSH_FOLDER` with which a machine's SSH server serves this key beside its own."""
    return {"ssh_host_ecdsa_key": private_key, "sshd_config.d/ordered-host-key.conf": HOST_KEYS}


def hostname(name: str) -> str:
    """Return the name that the kernel can hold: the whole one, or its first part."""
    return name if len(name) <= LONGEST_HOSTNAME else name.partition(".")[0]


def machine(listed: Mapping[str, Any]) -> Machine:
    """Read a machine from an entry of the list of containers.

    One that has just been made is only `running` once SSH answers.
    """
    found = labels_of(listed)
    state = STATES.get(str(listed.get("State", "")).lower(), "unknown")
    created = datetime.fromtimestamp(int(listed.get("Created") or 0), UTC)
    ip, port = found.get("prov-address", ""), int(found.get("prov-port") or 22)
    is_fresh = (datetime.now(UTC) - created).total_seconds() < FRESH_SECONDS
    if state == "running" and is_fresh and not answers(ip, port):
        state = "starting"
    return Machine(
        ref=listed["Id"],
        server_id=found.get("prov-machine", ""),
        hostname=found.get("prov-hostname", ""),
        plan=found.get("prov-plan", ""),
        zone=ZONE,
        state=state,
        ip=ip,
        ssh_port=port,
        created_at=created,
    )


def labels_of(listed: Mapping[str, Any]) -> dict[str, str]:
    """Read the labels."""
    found = listed.get("Labels")
    return found if isinstance(found, dict) else {}


def is_ours(listed: Mapping[str, Any], installation: str, server_id: str | None = None) -> bool:
    """Tell whether this installation made the machine and, when given, made it for this server."""
    return has_identity(labels_of(listed), identity_labels(installation, server_id))


def answers(ip: str, port: int) -> bool:
    """Knock at the SSH port, on this machine: it opens at once or not at all.

    A published port is opened by the engine, so there the SSH server itself has to say a word.
    """
    try:
        with socket.create_connection((ip, port), timeout=KNOCK_SECONDS) as knock:
            return port == SSH_PORT or bool(knock.recv(4))
    except OSError:
        return False
