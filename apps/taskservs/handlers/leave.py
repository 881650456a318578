"""Letting clusters go on without a server that is about to be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from apps.operations.handler_api import Context, Wait
from apps.operations.models import Event
from apps.servers.models import Server
from apps.system.errors import DomainError
from apps.taskservs import emulated_run, machines, real_run
from apps.taskservs.ansible import runs
from apps.taskservs.handlers.change import (
    demotion,
    forgetting,
    leaving_primary,
    next_primary,
    promotion,
    running,
    there,
)
from apps.taskservs.install_plan import PlanItem, begun_part
from apps.taskservs.models import Taskserv
from apps.taskservs.plays import Phase, Play
from apps.taskservs.progress import Departure, departure_of
from apps.taskservs.services import installations

WARNING = Event.Level.WARNING
LEAVE_SECONDS = 180  # a server that is to be deleted is deleted, whether or not its clusters let it go


def leave_clusters(context: Context, server: Server) -> Wait | None:
    """Take one step towards every cluster having let a server go; None when they have, or cannot in time."""
    if departure_of(context.operation).get("left"):
        return None
    clusters = list(clusters_of(server))
    if not clusters:
        return None
    latest = timezone.now() + timedelta(seconds=LEAVE_SECONDS)
    until = departure_of(context.operation).get("leaves_until") or latest.isoformat()
    context.save(**Departure(leaves_until=until))
    for part in clusters:
        if wait := leave(context, part, server):
            if timezone.now() < datetime.fromisoformat(until):
                return wait
            runs.request_stop(context.operation)
            context.log("Its clusters did not let it go in time; it is deleted all the same.", level=WARNING)
            break
    context.save(**Departure(left=True))
    return None


def clusters_of(server: Server) -> Iterator[PlanItem]:
    """Yield the taskservs on a server that have other servers too and know how to go on without one."""
    for taskserv in server.taskservs.filter(status=Taskserv.Status.RUNNING).select_related("workspace"):
        try:
            part = begun_part(taskserv)
        except DomainError:  # its entry has left the catalog
            continue
        if len(part.servers) > 1 and {"leave", "promote", "forget"} & set(part.definition.tasks):
            yield part


def leave(context: Context, part: PlanItem, server: Server) -> Wait | None:
    """Take one step towards a cluster having let a server go; None when the runs are over, well or not.

    The others take over first. Where the server is down, or the cluster did not let it go, they forget it.
    """
    everyone = part.servers
    rest = [each for each in everyone if each != server]
    part.servers = running(rest)
    if not part.servers:
        return None
    is_up = context.params.get("was") == Server.Status.RUNNING
    primary = next_primary(part.servers, []) if leaving_primary(part, [server.id]) else None
    stages = there(part, ("leave",)) if is_up else ()
    going = [Play(part=part, stages=stages, hosts=[server], members=everyone, primary=primary)] if stages else []
    has_left = False
    for name, plays in (
        ("demote", demotion(part, [server], [*part.servers, server]) if is_up and primary else []),
        ("promote", promotion(part, part.servers, everyone, primary)),
        ("leave", going),
        ("forget", forgetting(part, part.servers, rest, primary)),
    ):
        if not plays or (name == "forget" and has_left):
            continue
        error = run(context, f"{name}-{part.taskserv_id}", plays)
        if isinstance(error, Wait):
            return error
        if error:
            log_failure(context, part, name, error)
        elif name == "promote" and primary:
            installations.note_promoted(part.taskserv_id, primary.id, part.definition.roles)
        has_left = has_left or (name == "leave" and not error)
    return None


def run(context: Context, name: str, plays: Phase) -> Wait | str:
    """Take one step towards plays being done; the error when they are over, empty for none."""
    if any(machines.is_unreal(server) for play in plays for server in play.hosts):
        for task in emulated_run.tasks_of(plays):
            for host in task.hosts:
                emulated_run.tell(context, task, host)
        return ""
    ended = real_run.ended_run(context, name, plays)
    return ended if isinstance(ended, Wait) else ended.error


def log_failure(context: Context, part: PlanItem, name: str, error: str) -> None:
    """Log, once, that a cluster could not let a server leave."""
    mark, known = f"{name}-{part.taskserv_id}", departure_of(context.operation).get("logged", [])
    if mark in known:
        return
    context.save(**Departure(logged=[*known, mark]))
    text = f"{part.definition.name} did not let it go, and it is deleted all the same: {error}"
    context.log(text, level=WARNING, taskserv=part.taskserv_id)
