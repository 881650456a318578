"""Server deletion in the worker: repeat one step until the cloud shows that nothing is left."""

from __future__ import annotations

from apps.operations.handler_api import Context, Done, Wait
from apps.providers.drivers.base import Driver
from apps.providers.handlers import connected
from apps.servers import registry
from apps.servers.handlers.polling import outcome_is_unknown, poll, recheck_later
from apps.servers.models import Server
from apps.servers.services.delete import forget
from apps.servers.services.observed import set_observed_status


def delete_server(context: Context) -> Done | Wait:
    """Take the machine and its disks away, until the cloud shows that nothing is left."""
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    return registry.departure(context, server) or removed(context, server) or Done({"server_id": server.id})


def removed(context: Context, server: Server) -> Wait | None:
    """Take one step towards nothing being left; None when that is proven."""
    with connected(server.account) as cloud:
        machines = cloud.find(server.id)
        if not machines and server.ref and (known := cloud.get(server.ref)):
            machines = [known]
        targets = {machine.ref: machine.disks for machine in machines} or ({server.ref: ()} if server.ref else {})
        gone = [delete_one(cloud, server, ref, disks) for ref, disks in targets.items()]
    if not all(gone):
        return poll(context, f"{server.hostname} is being deleted at {server.account}")
    return recheck_later(context) if not targets and outcome_is_unknown(context) else None


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
        return poll(context, f"{server.hostname} is {machine.state} at {server.account}")
    set_observed_status(server, machine.state)
    return Done()


def gone_after_all(server: Server) -> Done:
    """Forget a server whose deletion was cancelled too late."""
    forget(Server.objects.filter(pk=server.pk))
    return Done()
