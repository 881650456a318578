"""Server creation in the worker: each step looks before it acts, so that running it twice changes nothing."""

from __future__ import annotations

import re

from django.utils import timezone

from apps.operations.handler_api import Context, Done, Wait
from apps.operations.models import Event
from apps.providers.drivers import DRIVERS
from apps.providers.drivers.base import (
    Driver,
    Machine,
    MachineSpec,
    ProviderError,
    ReportsHostKeys,
    TransientProviderError,
)
from apps.providers.handlers import connected, wait_for_catalog
from apps.servers.handlers.check_mode import check_creation
from apps.servers.handlers.delete import removed
from apps.servers.handlers.listing import may_have_machine
from apps.servers.handlers.observe import look_at_all, look_at_one, record_machine
from apps.servers.handlers.polling import may_be_unknown_yet, outcome_is_unknown, poll, recheck_later
from apps.servers.models import Server
from apps.servers.progress import Progress
from apps.servers.services.create import choose_size
from apps.servers.services.host_keys import drop_private_host_key, ordered_host_key, pin_host_key
from apps.servers.services.limits import reserve_order_slot
from apps.servers.services.observed import store_machine
from apps.system.encryption import unseal
from apps.workspaces.services import public_key

SLOT_SECONDS = 5.0
HOST_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+( [ -~]*)?")


def create_server(context: Context) -> Done | Wait:
    """Create the machine, or adopt the one that an earlier attempt left behind, and wait until it is up."""
    if context.operation.check_mode:
        return check_creation(context)
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    if server.ref:
        return wait_until_up(context, server)
    if waiting := completed_late(context, server):
        return waiting
    must_look = may_have_machine(context, server)
    if must_look is None:
        return poll(context, f"{server.account} is being listed, to see whether the machine was ordered already")
    with connected(server.account) as cloud:
        found = cloud.find(server.id) if must_look else []
        if not all(delete_duplicate(context, cloud, extra) for extra in found[1:]):
            return poll(context, f"a second machine for {server.hostname} is being deleted at {server.account}")
        if not found and outcome_is_unknown(context):
            return recheck_later(context)
        if not found and (full := reserve_order_slot(server)):
            return Wait(SLOT_SECONDS, message=f"{full}; it is ordered when one of them is done", queued=True)
        machine = adopted(context, found[0]) if found else order(context, cloud, server)
    record_machine(context, server, machine)
    return poll(context, f"{server.hostname} is {machine.state} at {server.account}")


def completed_late(context: Context, server: Server) -> Wait | None:
    """Choose the provider's plan of a server that was ordered before its plans were read; a wait until they are."""
    if server.size or not context.params.get("unread"):
        return None
    waiting = wait_for_catalog(server.account)
    if waiting is None:
        choose_size(server)
    return waiting


def wait_until_up(context: Context, server: Server) -> Done | Wait:
    """Look whether the machine is up; the states of all machines of an account come from one list."""
    if server.seen_state != "running" and (server := look_at_all(context, server)).seen_state in ("", "gone"):
        if may_be_unknown_yet(context) and not is_shown(server):
            return poll(context, f"{server.hostname} was ordered a moment ago; {server.account} does not show it yet")
        server = look_at_one(server)
    if server.seen_state == "running" and not server.ip_address:  # neither the order nor the list had it
        server = look_at_one(server)
    if server.seen_state == "running" and server.ip_address:
        learn_host_key(server)
        drop_private_host_key(server.id)
        return Done({"server_id": server.id, "ip_address": server.ip_address})
    if server.seen_state == "stopped":
        switch_on(context, server)
    return poll(context, f"{server.hostname} is {server.seen_state} at {server.account}")


def learn_host_key(server: Server) -> None:
    """Pin the SSH host key that the cloud reports for the machine; at any other, the order has carried one."""
    if not reports_host_keys(server):
        return
    with connected(server.account) as cloud:
        key = cloud.host_key(server.ref) if isinstance(cloud, ReportsHostKeys) else ""
    if HOST_KEY.fullmatch(key):
        pin_host_key(server.id, key)


def reports_host_keys(server: Server) -> bool:
    """Say whether the server's cloud tells host keys by another way than SSH."""
    return issubclass(DRIVERS[server.account.provider], ReportsHostKeys)


def is_shown(server: Server) -> bool:
    """Ask the cloud whether it knows the machine that its list did not show."""
    with connected(server.account) as cloud:
        return cloud.get(server.ref) is not None


def switch_on(context: Context, server: Server) -> None:
    """Start a machine that was made and does not run, as an attempt leaves it that ended between the two."""
    context.log(f"Starting {server.hostname}, which was made and does not run.", ref=server.ref)
    with connected(server.account) as cloud:
        cloud.start(server.ref)
    store_machine(server, seen_state="starting")


def adopted(context: Context, machine: Machine) -> Machine:
    """Take over the machine that an earlier attempt made; of several, left by lost answers, the oldest."""
    context.log("Adopted the machine that an earlier attempt made.", ref=machine.ref)
    return machine


def delete_duplicate(context: Context, cloud: Driver, extra: Machine) -> bool:
    """Take one step towards a second machine being gone; True when it is."""
    context.log("Deleting a second machine of this server.", level=Event.Level.WARNING, ref=extra.ref)
    return cloud.delete(extra.ref, server_id=context.params["server"], disks=extra.disks)


def order(context: Context, cloud: Driver, server: Server) -> Machine:
    """Ask the cloud for the machine, the intent stored before, so that a lost answer is known as one."""
    asked_at = timezone.now().isoformat()
    context.save(**Progress(asked_at=asked_at, looks=0))
    meant = server.plan if server.size in ("", server.plan) else f"{server.size} (the cheapest {server.plan})"
    context.log(f"Asking {server.account} for {meant} in {server.zone}.", plan=server.plan, zone=server.zone)
    try:
        return cloud.create(spec_of(server, order=asked_at))
    except (TransientProviderError, ProviderError):  # the cloud says that it has made nothing
        context.save(**Progress(asked_at=None))
        raise


def spec_of(server: Server, *, order: str) -> MachineSpec:
    """Return what to ask the cloud for; `order` differs for each order of the server."""
    size = server.size or server.plan
    plan = server.account.plans.filter(name=size).first()
    user_data = unseal(server.sealed_user_data, what=server) if server.sealed_user_data else ""
    return MachineSpec(
        server_id=server.id,
        hostname=server.hostname,
        plan=size,
        zone=server.zone,
        disk_gib=plan.disk_gib if plan else 0,
        tags=tuple(server.tags),
        ssh_keys=(public_key(server.workspace),),
        image=server.image,
        user_data=user_data,
        host_key="" if reports_host_keys(server) else ordered_host_key(server, user_data=user_data),
        order=order,
    )


def undo_creation(context: Context) -> Done | Wait:
    """Take away what a cancelled creation has made, or may have made."""
    if context.operation.check_mode:
        return Done()
    server = Server.objects.select_related("account", "workspace").filter(pk=context.params["server"]).first()
    return (server and removed(context, server)) or Done()
