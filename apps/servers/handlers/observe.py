"""Ask the cloud how a server's machine is, and store the answer on the row."""

from __future__ import annotations

from typing import Any

from apps.operations.handler_api import Context
from apps.providers.drivers.base import Machine, ProviderError
from apps.providers.handlers import connected
from apps.servers.handlers.listing import list_machines
from apps.servers.models import Server
from apps.servers.services.observed import store_machine
from apps.servers.services.power import MACHINE_GONE


def look_at_all(context: Context, server: Server) -> Server:
    """List the account's machines unless another operation does, and wake the operations whose machines are up."""
    list_machines(context, server.account)
    return refreshed(server)


def look_at_one(server: Server) -> Server:
    """Ask for one machine that the list did not show: lists may lag behind. Raises Refused when it is really gone."""
    with connected(server.account) as cloud:
        machine = cloud.get(server.ref)
    if machine is None:
        raise ProviderError(MACHINE_GONE, f"The machine of {server.hostname} no longer exists at {server.account}.")
    store_machine(server, ip_address=machine.ip or None, ssh_port=machine.ssh_port, seen_state=machine.state)
    return refreshed(server)


def refreshed(server: Server) -> Server:
    """Read the row again."""
    return Server.objects.select_related("account", "workspace").get(pk=server.pk)


def record_machine(context: Context, server: Server, machine: Machine) -> None:
    """Store what the cloud shows, before anything else can fail."""
    facts: dict[str, Any] = {"ref": machine.ref, "ip_address": machine.ip or None, "disks": list(machine.disks)}
    facts |= {"ssh_port": machine.ssh_port, "emulated": machine.emulated, "backed": machine.backed}
    store_machine(server, **facts, seen_state=machine.state)
    behind = "a container on its host stands behind it" if machine.backed else "nothing real stands behind it"
    emulation = f" The cloud says that it is emulated: {behind}." if machine.emulated else ""
    context.log(f"{server.hostname} is {machine.state}.{emulation}", ref=machine.ref, emulated=machine.emulated)
