"""What has to be installed where, and whether it may be: the part of the services that only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.servers.models import Server
from apps.taskservs.catalog_loader import Definition, definition_named, load_catalog, with_requirements
from apps.taskservs.errors import (
    AlreadyInstalled,
    EntryGone,
    ForeignPath,
    InConflict,
    PortTaken,
    RequirementLeaving,
    RequirementMissing,
    UnknownTaskserv,
)
from apps.taskservs.models import Installation, Taskserv

Status = Taskserv.Status


@dataclass(kw_only=True)
class PlanItem:
    """One taskserv of an install plan: requirements come first, the requested taskserv last.

    `servers` are all that it is on, in the order of its members; `hosts` those to be changed, by default all.
    `was` is the status of a taskserv that was there before, empty for a new one.
    """

    definition: Definition
    version: str
    config: dict[str, Any]
    servers: list[Server]
    taskserv_id: str = ""
    hosts: list[Server] = field(default_factory=list)
    was: str = ""

    def __post_init__(self) -> None:
        self.hosts = self.hosts or self.servers

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return Taskserv(id=self.taskserv_id).target

    def as_params(self) -> dict[str, Any]:
        """Return what the worker has to know of it."""
        return {
            "taskserv": self.taskserv_id,
            "name": self.definition.name,
            "version": self.version,
            "config": self.config,
            "servers": [server.id for server in self.servers],
            "hosts": [server.id for server in self.hosts],
            "was": self.was,
        }


# ── what goes on them ─────────────────────────────────────────────────────────────────────────────────────────────────
def parts_for(
    definition: Definition,
    version: str,
    config: dict[str, Any],
    machines: list[Server],
    *,
    again: Taskserv | None = None,
) -> list[PlanItem]:
    """Return the installation's parts: what is required and not there yet, then the taskserv itself.

    `again` is the taskserv that is there already and stands for the last part. Raises AlreadyInstalled, InConflict,
    RequirementLeaving.
    """
    there = taskservs_by_server(machines)
    if again is None:
        refuse_second(definition, machines, there)
    parts = [
        lacking(each, definition, machines, there)
        for each in with_requirements(definition, machines[0].workspace.path)[:-1]
    ]
    parts = [part for part in parts if part.servers]
    parts.append(PlanItem(definition=definition, version=version, config=config, servers=machines))
    for part in parts:
        refuse_conflicts(part, there)
    return parts


def refuse_taken_ports(definition: Definition, ports: dict[int, str], machines: list[Server], *, but: str = "") -> None:
    """Refuse ports that another taskserv of a machine uses; `but` is the id of the one that asks. Raises PortTaken."""
    for hostname, other in others_on(machines, but):
        taken = ports.keys() & ports_of(other)
        if taken:
            port = min(taken)
            where = f"port {port} ({ports[port]}) on {hostname}"
            raise PortTaken(name=definition.name, where=where, other=other.name, taskserv=other.id)


def others_on(machines: list[Server], but: str) -> list[tuple[str, Taskserv]]:
    """Return hostname and taskserv of what else is on machines; failed installations do not count."""
    there = taskservs_by_server(machines)
    found = [(machine.hostname, each) for machine in machines for each in there[machine.id].values()]
    return [(hostname, each) for hostname, each in found if each.id != but]


def ports_of(taskserv: Taskserv) -> set[int]:
    """Return the ports that a taskserv uses; none of one that has left the catalog."""
    definition = load_catalog(taskserv.workspace.path).get(taskserv.name)
    return set(definition.ports(taskserv.config)) if definition else set()


def taskservs_by_server(machines: list[Server]) -> Mapping[str, dict[str, Taskserv]]:
    """Return what each machine (by id) has, or is about to have, by name; failed installations do not count."""
    there: dict[str, dict[str, Taskserv]] = {machine.id: {} for machine in machines}
    rows = Installation.objects.filter(server__in=machines).exclude(taskserv__status=Status.FAILED)
    for row in rows.select_related("taskserv__workspace"):
        there[row.server_id][row.taskserv.name] = row.taskserv
    return there


def refuse_second(definition: Definition, machines: list[Server], there: Mapping[str, dict[str, Taskserv]]) -> None:
    """Refuse to install what a machine has already. Raises AlreadyInstalled."""
    for machine in machines:
        if taskserv := there[machine.id].get(definition.name):
            raise AlreadyInstalled(
                hostname=machine.hostname, name=definition.name, taskserv=taskserv.id, status=taskserv.status
            )


def lacking(
    required: Definition, by: Definition, machines: list[Server], there: Mapping[str, dict[str, Taskserv]]
) -> PlanItem:
    """Return the part that puts a requirement where it is missing. Raises RequirementLeaving."""
    for machine in machines:
        taskserv = there[machine.id].get(required.name)
        if taskserv and taskserv.status == Status.DELETING:
            raise RequirementLeaving(hostname=machine.hostname, name=by.name, other=required.name, taskserv=taskserv.id)
    missing = [machine for machine in machines if required.name not in there[machine.id]]
    return PlanItem(definition=required, version=required.default_version, config={}, servers=missing)


def refuse_conflicts(part: PlanItem, there: Mapping[str, dict[str, Taskserv]]) -> None:
    """Refuse what cannot live beside what a machine has, whichever of the two says so. Raises InConflict."""
    mine = part.definition
    for machine in part.servers:
        for other, taskserv in there[machine.id].items():
            if other in mine.conflicts or mine.name in conflicts_of(taskserv):
                raise InConflict(hostname=machine.hostname, name=mine.name, other=other, taskserv=taskserv.id)


def conflicts_of(taskserv: Taskserv) -> tuple[str, ...]:
    """Return what a taskserv refuses to live beside; one that has left the catalog refuses nothing."""
    definition = load_catalog(taskserv.workspace.path).get(taskserv.name)
    return definition.conflicts if definition else ()


# ── in the worker ─────────────────────────────────────────────────────────────────────────────────────────────────────
def parts_of(plan: list[dict[str, Any]], workspace_path: str = "") -> list[PlanItem]:
    """Return the parts of a stored plan, with the servers that are still there, in the plan's order."""
    ids = {id for part in plan for id in part["servers"]}
    servers = Server.objects.in_bulk(ids)
    return [
        PlanItem(
            definition=definition_named(part["name"], workspace_path),
            version=part["version"],
            config=part["config"],
            servers=[servers[id] for id in part["servers"] if id in servers],
            hosts=[servers[id] for id in part.get("hosts", part["servers"]) if id in servers],
            taskserv_id=part["taskserv"],
            was=part.get("was", ""),
        )
        for part in plan
    ]


def definition_of(taskserv: Taskserv) -> Definition:
    """Return the entry of a taskserv that is there. Raises EntryGone, BadDefinition."""
    try:
        return definition_named(taskserv.name, taskserv.workspace.path)
    except UnknownTaskserv:
        raise EntryGone(taskserv=taskserv.id, name=taskserv.name) from None


def begun_part(taskserv: Taskserv) -> PlanItem:
    """Return a taskserv with the servers that the installer has touched. Raises EntryGone, BadDefinition."""
    rows = list(taskserv.installations.select_related("server"))
    begun = [each.server for each in rows if each.begun_at]
    return PlanItem(
        definition=definition_of(taskserv),
        version=taskserv.version,
        config=taskserv.config,
        servers=begun,
        taskserv_id=taskserv.id,
    )


def refuse_foreign_paths(parts: list[PlanItem]) -> None:
    """Refuse a stored configuration whose directories are not the taskserv's own (any more). Raises ForeignPath."""
    for part in parts:
        foreign = [f"{key} {part.config[key]}" for key in part.definition.foreign_paths(part.config)]
        if foreign:
            raise ForeignPath(taskserv=part.definition.name, paths=", ".join(foreign)[:500])


def refuse_unmet(parts: list[PlanItem]) -> None:
    """Refuse when a requirement that was to be there by now is not. Raises RequirementMissing."""
    for at, part in enumerate(parts):
        coming = {each.definition.name for each in parts[:at]}
        running = Installation.objects.filter(server__in=part.servers, taskserv__status=Status.RUNNING)
        there = set(running.values_list("server", "taskserv__name"))
        pairs = [(server, name) for server in part.servers for name in part.definition.requires]
        for server, name in pairs:
            if name not in coming and (server.id, name) not in there:
                raise RequirementMissing(name=part.definition.name, other=name, hostname=server.hostname)
