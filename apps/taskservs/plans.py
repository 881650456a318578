"""What has to be installed where, and whether it may be: the part of the services that only reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.catalogue import Definition, catalogue, definition_named, with_requirements
from apps.taskservs.errors import (
    AlreadyInstalled,
    InConflict,
    RequirementLeaving,
    RequirementMissing,
    ServerNotRunning,
    UnknownServer,
)
from apps.taskservs.models import Installation, Taskserv
from apps.workspaces.models import Workspace

Status = Taskserv.Status


@dataclass(kw_only=True)
class Part:
    """One taskserv of an installation; the first part is installed first, the last is the one that was asked for."""

    definition: Definition
    version: str
    config: dict[str, Any]
    servers: list[Server]
    taskserv_id: str = ""

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return Taskserv(id=self.taskserv_id).target

    def as_params(self) -> dict[str, Any]:
        """Return what the worker has to know of it."""
        servers = [server.id for server in self.servers]
        return {
            "taskserv": self.taskserv_id,
            "name": self.definition.name,
            "version": self.version,
            "config": self.config,
            "servers": servers,
        }


# ── servers ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def locked(servers: QuerySet) -> list[Server]:
    """Return servers under lock: whoever changes what is on a server takes turns, in one order for all."""
    return list(servers.select_for_update(of=("self",)).order_by("pk"))


def machines_named(workspace: Workspace, hostnames: Iterable[str]) -> list[Server]:
    """Return a workspace's servers, locked, in the order they are named. Raises UnknownServer."""
    wanted = {hostname.lower(): hostname for hostname in hostnames}
    rows = locked(workspace.servers.annotate(key=Lower("hostname")).filter(key__in=wanted))
    found = {server.hostname.lower(): server for server in rows}
    unknown = [hostname for key, hostname in wanted.items() if key not in found]
    if unknown:
        names, hint = ", ".join(unknown)[:200], nearest_server(workspace, unknown[0])
        raise UnknownServer(workspace=workspace.name, hostnames=names, hint=hint, field="servers")
    return [found[key] for key in wanted]


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


def unfinished_on(machines: list[Server]) -> list[str]:
    """Return the ids of the operations that still work on what is on the machines: a new one waits for these.

    The machines are locked when this is asked, so two operations never wait for each other.
    """
    there = Taskserv.objects.filter(installations__server__in=machines).distinct()
    holders = Operation.objects.unfinished().filter(target__in=[taskserv.target for taskserv in there])
    return [str(id) for id in holders.values_list("id", flat=True)]


# ── what goes on them ─────────────────────────────────────────────────────────────────────────────────────────────────
def parts_for(definition: Definition, version: str, config: dict[str, Any], machines: list[Server]) -> list[Part]:
    """Return the installation's parts: what is required and not there yet, then the taskserv itself.

    Raises AlreadyInstalled, InConflict, RequirementLeaving.
    """
    there = installed_on(machines)
    refuse_second(definition, machines, there)
    parts = [lacking(each, definition, machines, there) for each in with_requirements(definition)[:-1]]
    parts = [part for part in parts if part.servers]
    parts.append(Part(definition=definition, version=version, config=config, servers=machines))
    for part in parts:
        refuse_conflicts(part, there)
    return parts


def installed_on(machines: list[Server]) -> Mapping[str, dict[str, Taskserv]]:
    """Return what each machine (by id) has, or is about to have, by name; failed installations do not count."""
    there: dict[str, dict[str, Taskserv]] = {machine.id: {} for machine in machines}
    rows = Installation.objects.filter(server__in=machines).exclude(taskserv__status=Status.FAILED)
    for row in rows.select_related("taskserv"):
        there[row.server_id][row.taskserv.name] = row.taskserv
    return there


def refuse_second(definition: Definition, machines: list[Server], there: Mapping[str, dict[str, Taskserv]]) -> None:
    """Refuse to install what a machine has already. Raises AlreadyInstalled."""
    for machine in machines:
        if taskserv := there[machine.id].get(definition.name):
            facts = {"name": definition.name, "taskserv": taskserv.id, "status": taskserv.status}
            raise AlreadyInstalled(hostname=machine.hostname, **facts)


def lacking(
    required: Definition, by: Definition, machines: list[Server], there: Mapping[str, dict[str, Taskserv]]
) -> Part:
    """Return the part that puts a requirement where it is missing. Raises RequirementLeaving."""
    for machine in machines:
        taskserv = there[machine.id].get(required.name)
        if taskserv and taskserv.status == Status.DELETING:
            facts = {"name": by.name, "other": required.name, "taskserv": taskserv.id}
            raise RequirementLeaving(hostname=machine.hostname, **facts)
    missing = [machine for machine in machines if required.name not in there[machine.id]]
    return Part(definition=required, version=required.default_version, config={}, servers=missing)


def refuse_conflicts(part: Part, there: Mapping[str, dict[str, Taskserv]]) -> None:
    """Refuse what cannot live beside what a machine has, whichever of the two says so. Raises InConflict."""
    mine = part.definition
    for machine in part.servers:
        for other, taskserv in there[machine.id].items():
            if other in mine.conflicts or mine.name in conflicts_of(other):
                facts = {"name": mine.name, "other": other, "taskserv": taskserv.id}
                raise InConflict(hostname=machine.hostname, **facts)


def conflicts_of(name: str) -> tuple[str, ...]:
    """Return what a taskserv refuses to live beside; one that has left the catalogue refuses nothing."""
    definition = catalogue().get(name)
    return definition.conflicts if definition else ()


# ── in the worker ─────────────────────────────────────────────────────────────────────────────────────────────────────
def ahead_of(ids: list[str]) -> str | None:
    """Return one of the operations that is still unfinished."""
    holder = Operation.objects.unfinished().filter(pk__in=ids).values_list("id", flat=True).first()
    return holder and str(holder)


def parts_of(plan: list[dict[str, Any]]) -> list[Part]:
    """Return the parts of a stored plan, with the servers that are still there, in the plan's order."""
    ids = {id for part in plan for id in part["servers"]}
    servers = Server.objects.in_bulk(ids)
    return [
        Part(
            definition=definition_named(part["name"]),
            version=part["version"],
            config=part["config"],
            servers=[servers[id] for id in part["servers"] if id in servers],
            taskserv_id=part["taskserv"],
        )
        for part in plan
    ]


def begun_part(taskserv: Taskserv) -> Part:
    """Return a taskserv with the servers that the installer has touched for it."""
    begun = taskserv.installations.exclude(begun_at=None).select_related("server")
    return Part(
        definition=definition_named(taskserv.name),
        version=taskserv.version,
        config=taskserv.config,
        servers=[each.server for each in begun],
        taskserv_id=taskserv.id,
    )


def refuse_unmet(parts: list[Part]) -> None:
    """Refuse when a requirement that was to be there by now is not. Raises RequirementMissing."""
    for at, part in enumerate(parts):
        coming = {each.definition.name for each in parts[:at]}
        running = Installation.objects.filter(server__in=part.servers, taskserv__status=Status.RUNNING)
        there = set(running.values_list("server", "taskserv__name"))
        pairs = [(server, name) for server in part.servers for name in part.definition.requires]
        for server, name in pairs:
            if name not in coming and (server.id, name) not in there:
                raise RequirementMissing(name=part.definition.name, other=name, hostname=server.hostname)
