"""Slow work on machines: each step looks before it acts, so that running it twice changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.operations.models import Event
from apps.operations.steps import Context, Done, Wait
from apps.providers.drivers.base import Driver, Machine, MachineSpec, Price, Refused, Transient
from apps.providers.handlers import connected
from apps.providers.models import Account
from apps.servers import services
from apps.servers.models import Server
from apps.servers.services.limits import take_slot
from apps.servers.services.power import MACHINE_GONE
from apps.system.vault import unseal
from apps.workspaces.services import public_key

SLOT_SECONDS = 5.0
POLLS = (0.5, 0.5, 1, 1, 2, 2, 3, 5)


# ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def create_server(context: Context) -> Done | Wait:
    """Create the machine, or adopt the one that an earlier attempt left behind, and wait until it is up."""
    if context.operation.check_mode:
        return check_creation(context)
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    if server.ref:
        return wait_until_up(context, server)
    with connected(server.account) as cloud:
        found = cloud.find(server.id) if "asked_at" in context.state else []
        if not all(discarded(context, cloud, extra) for extra in found[1:]):
            return poll(context, f"a second machine for {server.hostname} is being deleted at {server.account}")
        if not found and in_doubt(context):
            return look_again(context)
        if not found and (full := take_slot(server)):
            return Wait(SLOT_SECONDS, note=f"{full}; it is ordered when one of them is done")
        machine = adopted(context, found[0]) if found else order(context, cloud, server)
    note(context, server, machine)
    return poll(context, f"{machine.ref} is {machine.state} at {server.account}")


def wait_until_up(context: Context, server: Server) -> Done | Wait:
    """Look whether the machine is up; the states of all machines of an account come from one list."""
    if server.seen_state != "running" and (server := look_at_all(server)).seen_state in ("", "gone"):
        if may_be_unknown_yet(context) and not is_shown(server):
            return poll(context, f"{server.ref} was ordered a moment ago; {server.account} does not show it yet")
        server = look_at_one(server)
    if server.seen_state == "running" and not server.ip_address:  # neither the order nor the list has told it
        server = look_at_one(server)
    if server.seen_state == "running" and server.ip_address:
        return Done({"server_id": server.id, "ip_address": server.ip_address})
    if server.seen_state == "stopped":
        switch_on(context, server)
    return poll(context, f"{server.ref} is {server.seen_state} at {server.account}")


def is_shown(server: Server) -> bool:
    """Ask the cloud whether it knows the machine that its list did not show."""
    with connected(server.account) as cloud:
        return cloud.get(server.ref) is not None


def may_be_unknown_yet(context: Context) -> bool:
    """Tell whether the machine was ordered so short ago that a cloud may not know it everywhere."""
    asked_at = context.state.get("asked_at")
    sure_at = asked_at and datetime.fromisoformat(asked_at) + timedelta(seconds=settings.DOUBT_SECONDS)
    return bool(sure_at and timezone.now() < sure_at)


def switch_on(context: Context, server: Server) -> None:
    """Start a machine that was made and does not run, as an attempt leaves it that ended between the two."""
    context.log(f"Starting {server.ref}, which was made and does not run.", ref=server.ref)
    with connected(server.account) as cloud:
        cloud.start(server.ref)
    services.note_machine(server, seen_state="starting")


def look_at_all(server: Server) -> Server:
    """List the account's machines if nobody has just done so, and wake the operations whose machines have come up."""
    if services.claim_look(server.account):
        with connected(server.account) as cloud:
            states = {machine.ref: machine.state for machine in cloud.list()}
        services.note_states(account=server.account, states=states)
    return refreshed(server)


def look_at_one(server: Server) -> Server:
    """Ask for one machine that the list did not show: lists may lag behind. Raises Refused when it is really gone."""
    with connected(server.account) as cloud:
        machine = cloud.get(server.ref)
    if machine is None:
        raise Refused(MACHINE_GONE, f"The machine {server.ref} no longer exists at {server.account}.")
    services.note_machine(server, ip_address=machine.ip or None, ssh_port=machine.ssh_port, seen_state=machine.state)
    return refreshed(server)


def refreshed(server: Server) -> Server:
    """Read the row again."""
    return Server.objects.select_related("account", "workspace").get(pk=server.pk)


def adopted(context: Context, machine: Machine) -> Machine:
    """Take over the machine that an earlier attempt made; of several, left by lost answers, the oldest."""
    context.log(f"Adopted {machine.ref}, made by an earlier attempt.", ref=machine.ref)
    return machine


def discarded(context: Context, cloud: Driver, extra: Machine) -> bool:
    """Take one step towards a second machine being gone; True when it is."""
    context.log(f"Deleting {extra.ref}: a second machine of this server.", level=Event.Level.WARNING)
    return cloud.delete(extra.ref, server_id=context.params["server"], disks=extra.disks)


def order(context: Context, cloud: Driver, server: Server) -> Machine:
    """Ask the cloud for the machine, the intent stored before, so that a lost answer is known as one."""
    context.save(asked_at=timezone.now().isoformat(), looks=0)
    meant = server.plan if server.size in ("", server.plan) else f"{server.size} (the cheapest {server.plan})"
    context.log(f"Asking {server.account} for {meant} in {server.zone}.", plan=server.plan, zone=server.zone)
    try:
        return cloud.create(spec_of(server, order=context.state["asked_at"]))
    except (Transient, Refused):  # the cloud says that it has made nothing
        context.save(asked_at=None)
        raise


def spec_of(server: Server, *, order: str) -> MachineSpec:
    """Return what to ask the cloud for; `order` tells one order of the server from the next."""
    size = server.size or server.plan
    plan = server.account.plans.filter(name=size).first()
    return MachineSpec(
        server_id=server.id,
        hostname=server.hostname,
        plan=size,
        zone=server.zone,
        disk_gib=plan.disk_gib if plan else 0,
        tags=tuple(server.tags),
        ssh_keys=(public_key(server.workspace),),
        image=server.image,
        user_data=unseal(server.sealed_user_data, what=server) if server.sealed_user_data else "",
        order=order,
    )


def note(context: Context, server: Server, machine: Machine) -> None:
    """Store what the cloud told, before anything else can go wrong."""
    facts = {"ref": machine.ref, "ip_address": machine.ip or None, "disks": list(machine.disks)}
    facts |= {"ssh_port": machine.ssh_port, "emulated": machine.emulated, "backed": machine.backed}
    services.note_machine(server, **facts, seen_state=machine.state)
    behind = "a container on its host stands behind it" if machine.backed else "nothing real stands behind it"
    said = f" The cloud says that it is emulated: {behind}." if machine.emulated else ""
    context.log(f"{machine.ref} is {machine.state}.{said}", ref=machine.ref, emulated=machine.emulated)


def in_doubt(context: Context) -> bool:
    """Tell whether an order was sent whose answer is lost, too short ago to be sure that it came to nothing."""
    asked_at = context.state.get("asked_at") or context.params.get("asked_at")
    if not asked_at:
        return False
    sure_at = datetime.fromisoformat(asked_at) + timedelta(seconds=settings.DOUBT_SECONDS)
    return timezone.now() < sure_at or context.state.get("looks", 0) < 2


def look_again(context: Context) -> Wait:
    """Look for the machine again later."""
    looks = context.state.get("looks", 0) + 1
    state = {**context.state, "looks": looks}
    return Wait(
        settings.DOUBT_SECONDS / 3, state, "the answer to the order was lost; looking whether it was carried out"
    )


def poll(context: Context, note: str) -> Wait:
    """Come back soon, then less often."""
    polls = context.state.get("polls", 0)
    return Wait(POLLS[min(polls, len(POLLS) - 1)], {**context.state, "polls": polls + 1}, note)


def check_creation(context: Context) -> Done:
    """Ask the cloud whether the machine could be ordered, and at what price; change nothing."""
    wanted = context.params["wanted"]
    account = Account.objects.get(pk=context.params["account"])
    with connected(account) as cloud:
        plan = next((plan for plan in cloud.plans() if plan.name == wanted["size"]), None)
        zones = {zone.name for zone in cloud.zones()}
        images = {image.name for image in cloud.images()} if wanted.get("image") else set()
    if plan is None:
        raise Refused("PROVIDER_INVALID", f"{account} no longer offers the plan {wanted['size']}.")
    if wanted["zone"] not in zones:
        raise Refused("PROVIDER_INVALID", f"{account} no longer has the zone {wanted['zone']}.")
    if wanted.get("image") and wanted["image"] not in images:
        raise Refused("PROVIDER_INVALID", f"{account} no longer has the image {wanted['image']}.")
    if wanted["size"] == wanted["plan"]:
        wanted = {name: value for name, value in wanted.items() if name != "size"}
    changes = [{"action": "create", "resource": "server", **wanted}]
    return Done({"check_mode": True, "changes": changes, "price": price_shape(plan.prices.get(wanted["zone"]))})


def price_shape(price: Price | None) -> dict[str, Any] | None:
    """Return a price as JSON: decimal strings, which no client rounds; None where the cloud does not tell."""
    return price and {"currency": price.currency, "hourly": str(price.hourly), "monthly": str(price.monthly)}


# ── deleting ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def delete_server(context: Context) -> Done | Wait:
    """Take the machine and its disks away, until the cloud shows that nothing is left."""
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    return removed(context, server) or Done({"server_id": server.id})


def undo_creation(context: Context) -> Done | Wait:
    """Take away what a cancelled creation has made, or may have made."""
    if context.operation.check_mode:
        return Done()
    server = Server.objects.select_related("account", "workspace").filter(pk=context.params["server"]).first()
    return (server and removed(context, server)) or Done()


def removed(context: Context, server: Server) -> Wait | None:
    """Take one step towards nothing being left; None when that is proven."""
    with connected(server.account) as cloud:
        machines = cloud.find(server.id)
        if not machines and server.ref and (known := cloud.get(server.ref)):
            machines = [known]
        targets = {machine.ref: machine.disks for machine in machines} or ({server.ref: ()} if server.ref else {})
        gone = [delete_one(cloud, server, ref, disks) for ref, disks in targets.items()]
    if not all(gone):
        return poll(context, f"{', '.join(targets)} is being deleted at {server.account}")
    return look_again(context) if not targets and in_doubt(context) else None


def delete_one(cloud: Driver, server: Server, ref: str, disks: tuple[str, ...]) -> bool:
    """Take one step towards one machine and all disks known of it being gone."""
    return cloud.delete(ref, server_id=server.id, disks=tuple({*disks, *server.disks}))


def undo_deletion(context: Context) -> Done | Wait:
    """Find out what a cancelled deletion has left, and let the row say it."""
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    with connected(server.account) as cloud:
        machine = next(iter(cloud.find(server.id)), None)
    if machine is None:
        return removed(context, server) or gone_after_all(server)
    if machine.state not in ("running", "stopped"):
        return poll(context, f"{machine.ref} is {machine.state} at {server.account}")
    services.found_as(server, machine.state)
    return Done()


def gone_after_all(server: Server) -> Done:
    """Forget a server whose deletion was cancelled too late."""
    services.forget(Server.objects.filter(pk=server.pk))
    return Done()
