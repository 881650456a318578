"""Changing options and servers of a taskserv, and upgrading it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.operations.errors import Refused
from apps.operations.handler_api import Context, Done, Wait
from apps.servers.models import Server
from apps.taskservs import install_plan
from apps.taskservs.handlers.steps import checked, parts_present, perform, stopped, wait_for_others
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.plays import Phase, Play, installing, removing
from apps.taskservs.progress import Leaving, Progress, Undo, progress_of

REAPPLY = ("configure", "start")


def configure_taskserv(context: Context) -> Done | Wait:
    """Let servers join, configure all, then let servers leave; verify what remains."""
    parts = parts_present(context)
    if context.operation.check_mode:
        phases = phases_of(context, parts, leaving_now(context, parts[-1]))
        return checked(context, [[play for play in phase if play.stages != ("verify",)] for phase in phases])
    if turn := wait_for_others(context):
        return turn
    install_plan.refuse_unmet(parts)
    if "leaving" not in progress_of(context.operation):
        context.save(**Progress(leaving=leaving_now(context, parts[-1])))
    phases = phases_of(context, parts, progress_of(context.operation)["leaving"])
    return perform(context, phases, so_far="walked") or Done(result_of(context, parts[-1]))


def upgrade_taskserv(context: Context) -> Done | Wait:
    """Install the version on one server after the other, the primary last; the first failure ends it."""
    parts = parts_present(context)
    part = parts[-1]
    downgrade = context.params.get("downgrade", False)
    plays = [Play(part=part, stages=part.definition.stages, hosts=part.hosts, serial=1, downgrade=downgrade)]
    if context.operation.check_mode:
        return checked(context, [plays])
    if turn := wait_for_others(context):
        return turn
    return perform(context, [plays], so_far="walked") or Done(result_of(context, part))


def result_of(context: Context, part: PlanItem) -> dict[str, Any]:
    """Return what a change answers: how the taskserv is now, and how it was before."""
    before = context.params["before"]
    hostnames = [server.hostname for server in part.servers]
    facts = {"taskserv_id": part.taskserv_id, "version": part.version, "servers": hostnames}
    was = {key: before[key] for key in ("version", "config", "servers")}
    return {**facts, "changed": progress_of(context.operation).get("changed", 0), "before": was}


def leaving_now(context: Context, part: PlanItem) -> Leaving:
    """Return what is so of the servers that leave when their change begins; it decides the phases to the end."""
    ids = context.params["leaving"]
    up = {server.id for server in running(servers_of(ids))}
    return Leaving(gone=[id for id in ids if id not in up], primary=leaving_primary(part, ids))


def phases_of(context: Context, parts: list[PlanItem], left: Leaving) -> list[Phase]:
    """Return the phases of a change, those that install what is required first."""
    *required, part = parts
    joining, leaving_ids = servers_of(context.params["joining"]), context.params["leaving"]
    return [*installing(required), *membership_phases(part, joining, leaving_ids, left)]


def membership_phases(part: PlanItem, joining: list[Server], leaving_ids: list[str], left: Leaving) -> list[Phase]:
    """Return the phases in which servers join and leave: the next begins when one has gone well on all its servers.

    The others take over from servers that are gone, and forget them, before anything else can work.
    """
    leaving = [server for server in servers_of(leaving_ids) if server.id not in left["gone"]]
    staying = [server for server in part.servers if server not in joining]
    known, everyone = [*staying, *leaving], [*part.servers, *leaving]
    successor = next_primary(known, part.servers) if left["primary"] in left["gone"] else None
    primary_id = successor.id if successor else left["primary"]
    going = [server for server in leaving if server.id == primary_id]  # gives its data to those who join
    heir = next_primary(staying, part.servers) if going else None
    first = successor or current_primary(part)
    hosts = primary_first(first, [*going, *staying])
    reapplied = Play(part=part, stages=there(part, REAPPLY), hosts=hosts, members=everyone, serial=1)
    joined = joining_play(part, primary_first(first, joining), everyone)
    verified = Play(part=part, stages=("verify",), hosts=[*going, *part.servers], members=everyone)
    changed = [*([joined, reapplied] if first in joining else [reapplied, joined]), verified]
    phases = [
        promotion(part, known, known, successor),
        forgetting(part, known if left["gone"] else [], known, successor),
        [replace(play, primary=successor) for play in changed],
    ]
    if not leaving_ids:
        return phases
    primary = heir or successor
    again = there(part, (*REAPPLY, "verify"))
    hosts = primary_first(primary or first, part.servers)
    return [
        *phases,
        demotion(part, going, everyone),
        promotion(part, part.servers, everyone, heir),
        [departure(part, leaving, everyone, primary)],
        [Play(part=part, stages=again, hosts=hosts, primary=primary, serial=1)],
    ]


def demotion(part: PlanItem, hosts: list[Server], members: list[Server]) -> Phase:
    """Return the phase in which a primary that leaves stops taking writes, where its role knows how."""
    stages = there(part, ("demote",))
    return [Play(part=part, stages=stages, hosts=hosts, members=members)] if stages else []


def promotion(part: PlanItem, hosts: list[Server], members: list[Server], primary: Server | None) -> Phase:
    """Return the phase that makes another server the primary; an empty one where none is to be."""
    return [Play(part=part, stages=("promote",), hosts=hosts, members=members, primary=primary)] if primary else []


def forgetting(part: PlanItem, hosts: list[Server], members: list[Server], primary: Server | None) -> Phase:
    """Return the phase in which a cluster forgets all but these members, where its role knows how."""
    stages = there(part, ("forget",))
    return [Play(part=part, stages=stages, hosts=hosts, members=members, primary=primary)] if stages else []


def leaving_primary(part: PlanItem, leaving: list[str]) -> str:
    """Return the id of the primary, where it leaves and the role knows how to promote; empty otherwise."""
    rows = Installation.objects.filter(taskserv=part.taskserv_id, server__in=leaving, role=part.definition.roles[0])
    primary = rows.values_list("server", flat=True).first() if "promote" in part.definition.tasks else None
    return primary or ""


def current_primary(part: PlanItem) -> Server | None:
    """Return the server that has the first role; None where all servers have the same."""
    if len(part.definition.roles) < 2:
        return None
    return Server.objects.filter(
        installations__taskserv=part.taskserv_id, installations__role=part.definition.roles[0]
    ).first()


def primary_first(primary: Server | None, servers: list[Server]) -> list[Server]:
    """Return servers in their order, the primary before those that follow it: they look at what it has already."""
    return sorted(servers, key=lambda server: server != primary)


def next_primary(having: list[Server], coming: list[Server]) -> Server:
    """Return the server that takes over: the first that has the data, where there is one."""
    return (having or coming)[0]


def joining_play(part: PlanItem, joining: list[Server], everyone: list[Server]) -> Play:
    """Return the play by which servers join; where members know each other, one server after the other."""
    stages = there(part, ("install", "join", *REAPPLY))
    serial = 1 if "leave" in part.definition.tasks else None
    return Play(part=part, stages=stages, hosts=joining, members=everyone, serial=serial)


def there(part: PlanItem, stages: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the files that a role has."""
    return tuple(stage for stage in stages if stage in part.definition.tasks)


def departure(part: PlanItem, leaving: list[Server], everyone: list[Server], primary: Server | None = None) -> Play:
    """Return the play by which servers leave; their data stay."""
    stages = there(part, ("leave", "remove"))
    return Play(part=part, stages=stages, hosts=leaving, members=everyone, primary=primary)


def servers_of(ids: list[str]) -> list[Server]:
    """Return servers that are still there, in the order of their ids."""
    found = Server.objects.in_bulk(ids)
    return [found[id] for id in ids if id in found]


# ── undoing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def undo_configuration(context: Context) -> Done | Wait:
    """Stop the run, take out who came, take back who left, and configure all as before."""
    if wait := stopped(context):
        return wait
    taskserv = Taskserv.objects.filter(pk=context.params["taskserv"]).first()
    if taskserv is None or not progress_of(context.operation).get("begun"):
        return Done()
    return perform(context, undo_phases(context, taskserv), so_far="undone") or Done()


def undo_phases(context: Context, taskserv: Taskserv) -> list[Phase]:
    """Return the phases that take a change back; the row asks for the former configuration already."""
    rows = {row.server_id: row for row in taskserv.installations.select_related("server").order_by("position")}
    part = install_plan.begun_part(taskserv)
    part.servers = [row.server for row in rows.values() if row.server.hostname in context.params["before"]["servers"]]
    if "undo" not in progress_of(context.operation):  # the rows change on the way
        own = {server.id for server in part.servers}
        came_ids = [id for id in context.params["joining"] if id not in own and id in rows and rows[id].begun_at]
        left_ids = [id for id in context.params["leaving"] if id in rows and not rows[id].begun_at]
        primary = leaving_primary(part, came_ids)
        context.save(**Progress(undo=Undo(came=came_ids, left=left_ids, primary=primary)))
    undo = progress_of(context.operation)["undo"]
    came, left = (running(servers_of(ids)) for ids in (undo["came"], undo["left"]))
    rest = [server for server in running(part.servers) if server not in left]
    everyone = [*part.servers, *came]
    required = Taskserv.objects.in_bulk([each["taskserv"] for each in context.params["plan"][:-1] if not each["was"]])
    unneeded = removing(map(install_plan.begun_part, required.values()))
    if undo["primary"]:  # it has the data: the change is made the other way round
        part.servers = running(part.servers) or part.servers
        leaving_ids = [server.id for server in came]
        return [*membership_phases(part, left, leaving_ids, Leaving(gone=[], primary=undo["primary"])), *unneeded]
    return [
        [departure(part, came, everyone)],
        *unneeded,
        [
            Play(part=part, stages=there(part, REAPPLY), hosts=primary_first(current_primary(part), rest), serial=1),
            joining_play(part, left, everyone),
            Play(part=part, stages=("verify",), hosts=[*rest, *left]),
        ],
    ]


def running(servers: list[Server]) -> list[Server]:
    """Return the servers on which something can be done."""
    return [server for server in servers if server.status == Server.Status.RUNNING]


def undo_upgrade(context: Context) -> Done | Wait:
    """Stop the run; versions that are installed are not taken back, as data may not fit the older one any more.

    Raises Refused naming which server has which version.
    """
    if wait := stopped(context):
        return wait
    rows = list(Installation.objects.filter(taskserv=context.params["taskserv"]).select_related("server"))
    touched = {name for run in context.operation.ansible_runs.all() for name, host in run.hosts.items() if moved(host)}
    if not touched & {row.server.hostname for row in rows}:
        return Done()
    versions = ", ".join(f"{row.server.hostname} has {row.version or 'none'}" for row in rows)
    raise Refused("UPGRADE_INCOMPLETE", f"The upgrade was cut short: {versions}; upgrade again to finish it.")


def moved(host: dict[str, Any]) -> bool:
    """Tell whether a run has done anything on a host."""
    return host.get("state") != "pending" or bool(host.get("ok") or host.get("changed"))
