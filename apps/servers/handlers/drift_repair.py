"""Adopting, recreating and forgetting servers: each looks at the cloud first, for what was seen there may be old."""

from __future__ import annotations

from apps.operations.handler_api import Context, Done, Wait
from apps.operations.models import Event
from apps.providers.drivers.base import Machine, ProviderError
from apps.providers.handlers import connected
from apps.servers import registry
from apps.servers.handlers.create import create_server, undo_creation
from apps.servers.handlers.observe import record_machine
from apps.servers.handlers.polling import outcome_is_unknown, poll, recheck_later
from apps.servers.models import Server
from apps.servers.progress import Progress, is_machine_proven_absent, progress_of
from apps.servers.services import drift_repair
from apps.servers.services.power import MACHINE_GONE


def adopt_server(context: Context) -> Done | Wait:
    """Accept the machine as the cloud shows it, once it runs or is stopped."""
    server = loaded(context)
    machine = next(iter(machines_of(server)), None)
    if machine is None:
        raise ProviderError(
            MACHINE_GONE, f"{server.hostname} has no machine at {server.account}: recreate or forget it."
        )
    if machine.server_id != server.pk:
        raise ProviderError("PROVIDER_FORBIDDEN", f"The machine of {server.hostname} no longer carries its mark.")
    if machine.state == "error":
        raise ProviderError("MACHINE_BROKEN", f"The machine of {server.hostname} is in error at {server.account}.")
    if machine.state not in ("running", "stopped"):
        return poll(context, f"{server.hostname} is {machine.state} at {server.account}")
    record_machine(context, server, machine)
    facts = {"status": machine.state, "plan": machine.plan, "ip_address": machine.ip or None}
    return Done({"server_id": server.pk, **facts})


def recreate_server(context: Context) -> Done | Wait:
    """Prove that there is no machine, then create one as for a new server, under the same id."""
    if not is_machine_proven_absent(context.operation):
        return proven_absent(context) or begin_anew(context)
    outcome = create_server(context)
    if isinstance(outcome, Wait):
        return outcome
    lost = progress_of(context.operation).get("lost", [])
    if lost:
        line = f"Not on the new machine, and to be installed again: {', '.join(lost)}."
        context.log(line, level=Event.Level.WARNING, not_installed=lost)
    return Done({**outcome.result, "not_installed": lost})


def begin_anew(context: Context) -> Wait:
    """Let the row have no machine; what was on it is remembered first, so that the result can name it."""
    server = loaded(context)
    if not progress_of(context.operation).get("lost"):
        context.save(**Progress(lost=registry.occupants_of(server)))
    tell_disks(context, server)
    drift_repair.clear_machine(server)
    context.save(**Progress(absent=True))
    return Wait(0, message=f"{server.account} has no machine of {server.hostname}; one is made")


def undo_recreation(context: Context) -> Done | Wait:
    """Take away what a cancelled recreation has made; before the old machine was proven gone, that is nothing."""
    return undo_creation(context) if is_machine_proven_absent(context.operation) else Done()


def forget_server(context: Context) -> Done | Wait:
    """Prove that there is no machine; then the row goes as the operation ends."""
    server = Server.objects.filter(pk=context.params["server"]).first()
    if server is None:
        return Done({"server_id": context.params["server"]})
    if waiting := proven_absent(context):
        return waiting
    tell_disks(context, server)
    return Done({"server_id": server.pk})


def proven_absent(context: Context) -> Wait | None:
    """Return None when the cloud shows no machine, neither by its mark nor under its ref, and none is on order.

    Raises Refused when there is one.
    """
    server = loaded(context)
    found = machines_of(server)
    if found:
        line = f"The machine of {server.hostname} is still there at {server.account}: adopt the server, or delete it."
        raise ProviderError("MACHINE_EXISTS", line)
    return recheck_later(context) if outcome_is_unknown(context) else None


def machines_of(server: Server) -> list[Machine]:
    """Return every machine of a server, first the one that it is known to have, then the oldest."""
    with connected(server.account) as cloud:
        known = cloud.get(server.ref) if server.ref else None
        others = [machine for machine in cloud.find(server.pk) if machine.ref != server.ref]
    return [known, *others] if known else others


def tell_disks(context: Context, server: Server) -> None:
    """Say which disks the machine had: nothing is known of what became of them."""
    if server.disks:
        line = f"Its machine had the disks {', '.join(server.disks)}; any that outlived it are left alone."
        context.log(line, level=Event.Level.WARNING, disks=server.disks)


def loaded(context: Context) -> Server:
    """Read the server."""
    return Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
