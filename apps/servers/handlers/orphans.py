"""Taking orphans in, and taking them away."""

from __future__ import annotations

from apps.operations.handler_api import Context, Done, Wait
from apps.providers.drivers.base import Machine, ProviderError
from apps.providers.handlers import connected
from apps.providers.models import CloudAccount
from apps.servers.handlers.polling import poll
from apps.servers.models import Orphan, Server
from apps.servers.progress import Progress, progress_of
from apps.servers.services import orphans
from apps.servers.services.power import MACHINE_GONE
from apps.workspaces.models import Workspace


def adopt_orphan(context: Context) -> Done | Wait:
    """Make a server of the machine, once it runs or is stopped, or find the one that an earlier attempt made."""
    ref, mark = context.params["ref"], context.params["server"]
    account = CloudAccount.objects.get(pk=context.params["account"])
    server, name = orphans.imported_server(ref=ref, server_id=mark), name_of(context)
    if server is None:
        machine = seen(account, ref)
        if machine is None:
            raise ProviderError(MACHINE_GONE, f"The machine of {name} no longer exists at {account}.")
        if machine.server_id != mark:
            raise ProviderError("PROVIDER_FORBIDDEN", f"The machine of {name} no longer carries the mark {mark}.")
        if machine.state not in ("running", "stopped"):
            return poll(context, f"{name} is {machine.state} at {account}")
        server = made(context, account, machine)
    return Done({"server_id": server.pk, "ip_address": server.ip_address})


def made(context: Context, account: CloudAccount, machine: Machine) -> Server:
    """Make the server."""
    place = Workspace.objects.get(pk=context.params["workspace"])
    server = orphans.import_machine(machine, account=account, workspace=place, hostname=context.params["hostname"])
    line = f"{server.hostname} is a server of {place} now; its SSH keys are those it was made with."
    context.log(line, server=server.pk, ref=machine.ref)
    return server


def delete_orphan(context: Context) -> Done | Wait:
    """Take one step towards the machine and its disks being gone, until that is proven."""
    ref, mark = context.params["ref"], context.params["server"]
    account = CloudAccount.objects.get(pk=context.params["account"])
    orphans.refuse_owned(account, ref)
    if "disks" not in progress_of(context.operation):
        machine = seen(account, ref)
        context.save(**Progress(disks=list(machine.disks) if machine else []))
    with connected(account) as cloud:
        gone = cloud.delete(ref, server_id=mark, disks=tuple(progress_of(context.operation)["disks"]))
    if not gone:
        return poll(context, f"{name_of(context)} is being deleted at {account}")
    return Done({"orphan_id": context.params["orphan"], "ref": ref})


def name_of(context: Context) -> str:
    """Return the hostname that the machine has at the cloud; of one without, the cloud's own name for it."""
    row = Orphan.objects.filter(pk=context.params["orphan"]).first()
    return (row.hostname if row else "") or context.params["ref"]


def seen(account: CloudAccount, ref: str) -> Machine | None:
    """Look at a machine."""
    with connected(account) as cloud:
        return cloud.get(ref)
