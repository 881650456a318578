"""The servers of a request: found, locked, and refused where nothing can be done on them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from django.db.models import QuerySet
from django.db.models.functions import Lower

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.errors import MixedServers, ServerNotRunning, UnknownServer
from apps.taskservs.models import Taskserv
from apps.workspaces.models import Workspace


def locked(servers: QuerySet) -> list[Server]:
    """Return servers under lock: whoever changes what is on a server takes turns, in one order for all."""
    return list(servers.select_for_update(of=("self",)).order_by("pk"))


def machines_named(workspace: Workspace, hostnames: Iterable[str]) -> list[Server]:
    """Return a workspace's servers, locked, in the order they are named. Raises UnknownServer."""
    by_key = {hostname.lower(): hostname for hostname in hostnames}
    rows = locked(workspace.servers.annotate(key=Lower("hostname")).filter(key__in=by_key))
    found = {server.hostname.lower(): server for server in rows}
    unknown = [hostname for key, hostname in by_key.items() if key not in found]
    if unknown:
        names, hint = ", ".join(unknown)[:200], nearest_server(workspace, unknown[0])
        raise UnknownServer(workspace=workspace.name, hostnames=names, hint=hint, field="servers")
    return [found[key] for key in by_key]


def nearest_server(workspace: Workspace, hostname: str) -> str:
    """Return the end of a sentence: the server that was perhaps meant."""
    near = get_close_matches(hostname, list(workspace.servers.values_list("hostname", flat=True)[:1000]), n=1)
    return f"; did you mean {near[0]}?" if near else "."


def refuse_unless_running(machines: list[Server]) -> None:
    """Refuse when a machine is not up, or when an operation holds it. Raises ServerNotRunning naming both."""
    holders = dict(
        Operation.objects.unfinished()
        .filter(target__in=[machine.target for machine in machines])
        .values_list("target", "id")
    )
    for machine in machines:
        holder = holders.get(machine.target)
        if holder or machine.status != Server.Status.RUNNING:
            held = f" and held by operation {holder}" if holder else ""
            raise ServerNotRunning(hostname=machine.hostname, status=f"{machine.status}{held}")


def is_unreal(machine: Server) -> bool:
    """Tell whether a server is only simulated: neither a real machine nor a container."""
    return machine.emulated and not machine.backed


def refuse_mixed(machines: Iterable[Server]) -> None:
    """Refuse emulated machines beside real ones: half a cluster would not be there. Raises MixedServers."""
    unreal = {machine.hostname: is_unreal(machine) for machine in machines}
    if len(set(unreal.values())) > 1:
        names = {flag: ", ".join(sorted(name for name, is_ in unreal.items() if is_ is flag)) for flag in (True, False)}
        raise MixedServers(emulated=names[True][:200], real=names[False][:200], field="servers")


def unfinished_on(machines: list[Server]) -> list[str]:
    """Return the ids of the operations that still work on what is on the machines: a new one waits for these.

    The machines are locked when this is asked, so two operations never wait for each other.
    """
    there = Taskserv.objects.filter(installations__server__in=machines).distinct()
    holders = Operation.objects.unfinished().filter(target__in=[taskserv.target for taskserv in there])
    return [str(id) for id in holders.values_list("id", flat=True)]


def ahead_of(ids: list[str]) -> str | None:
    """Return one of the operations that is still unfinished."""
    holder = Operation.objects.unfinished().filter(pk__in=ids).values_list("id", flat=True).first()
    return holder and str(holder)
