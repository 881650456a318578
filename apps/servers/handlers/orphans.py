"""Taking orphans in, and taking them away."""

from __future__ import annotations

from apps.operations.steps import Context, Done, Wait
from apps.providers.drivers.base import Machine, Refused
from apps.providers.handlers import connected
from apps.providers.models import Account
from apps.servers.handlers import poll
from apps.servers.models import Server
from apps.servers.services import orphans
from apps.servers.services.power import MACHINE_GONE
from apps.workspaces.models import Workspace


def adopt_orphan(context: Context) -> Done | Wait:
    """Make a server of the machine, once it runs or is stopped, or find the one that an earlier attempt made."""
    ref, mark = context.params["ref"], context.params["server"]
    account = Account.objects.get(pk=context.params["account"])
    server = orphans.taken_in(ref=ref, server_id=mark)
    if server is None:
        machine = seen(account, ref)
        if machine is None:
            raise Refused(MACHINE_GONE, f"The machine {ref} no longer exists at {account}.")
        if machine.server_id != mark:
            raise Refused("PROVIDER_FORBIDDEN", f"The machine {ref} no longer carries the mark {mark}.")
        if machine.state not in ("running", "stopped"):
            return poll(context, f"{ref} is {machine.state} at {account}")
        server = made(context, account, machine)
    return Done({"server_id": server.pk, "ip_address": server.ip_address})


def made(context: Context, account: Account, machine: Machine) -> Server:
    """Make the server."""
    place = Workspace.objects.get(pk=context.params["workspace"])
    server = orphans.take_in(machine, account=account, workspace=place, hostname=context.params["hostname"])
    line = f"{machine.ref} is the server {server.hostname} of {place} now; who may log in was settled when it was made."
    context.log(line, server=server.pk, ref=machine.ref)
    return server


def delete_orphan(context: Context) -> Done | Wait:
    """Take one step towards the machine and its disks being gone, until that is proven."""
    ref, mark = context.params["ref"], context.params["server"]
    account = Account.objects.get(pk=context.params["account"])
    orphans.refuse_owned(account, ref)
    if "disks" not in context.state:
        machine = seen(account, ref)
        context.save(disks=list(machine.disks) if machine else [])
    with connected(account) as cloud:
        gone = cloud.delete(ref, server_id=mark, disks=tuple(context.state["disks"]))
    if not gone:
        return poll(context, f"{ref} is being deleted at {account}")
    return Done({"orphan_id": context.params["orphan"], "ref": ref})


def seen(account: Account, ref: str) -> Machine | None:
    """Look at a machine."""
    with connected(account) as cloud:
        return cloud.get(ref)
