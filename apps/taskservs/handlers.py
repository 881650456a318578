"""Slow work on taskservs: short steps that may be repeated, in turn with others on the same servers."""

from __future__ import annotations

from apps.operations.errors import Refused
from apps.operations.steps import Context, Done, Wait
from apps.taskservs import plans
from apps.taskservs.installer import INSTALLING, REMOVING, changes, refuse_unless_emulated, tasks_of, walk
from apps.taskservs.models import Taskserv
from apps.taskservs.plans import Part

TURN_SECONDS = 1.0


def create_taskserv(context: Context) -> Done | Wait:
    """Install what is required and then the taskserv itself, and verify each."""
    parts = present(context)
    refuse_unless_emulated(parts)
    if context.operation.check_mode:
        return checked(context, parts, INSTALLING)
    if not context.state and (turn := turn_of(context)):
        return turn
    plans.refuse_unless_running([server for part in parts for server in part.servers])
    plans.refuse_unmet(parts)
    wanted = parts[-1]
    hostnames = sorted(server.hostname for server in wanted.servers)
    result = {"taskserv_id": wanted.taskserv_id, "version": wanted.version, "servers": hostnames}
    return walk(context, tasks_of(parts, INSTALLING), so_far="walked") or Done(result)


def undo_creation(context: Context) -> Done | Wait:
    """Remove what a cancelled installation has begun, the last first."""
    ids = [part["taskserv"] for part in reversed(context.params["plan"])]
    rows = Taskserv.objects.in_bulk(ids)
    return removed(context, [plans.begun_part(rows[id]) for id in ids if id in rows]) or Done()


def delete_taskserv(context: Context) -> Done | Wait:
    """Remove the taskserv from every server that the installer has touched for it."""
    taskserv = Taskserv.objects.filter(pk=context.params["taskserv"]).first()
    parts = [plans.begun_part(taskserv)] if taskserv else []
    if context.operation.check_mode:
        refuse_unless_emulated(parts)
        return checked(context, parts, REMOVING)
    if not context.state and (turn := turn_of(context)):
        return turn
    return removed(context, parts) or Done({"taskserv_id": context.params["taskserv"]})


def present(context: Context) -> list[Part]:
    """Return the parts of the stored plan. Raises Refused when a forced deletion took the servers away meanwhile."""
    parts = plans.parts_of(context.params["plan"])
    if not all(part.servers for part in parts):
        raise Refused("SERVER_GONE", "The servers were deleted before anything was installed on them.")
    return parts


def turn_of(context: Context) -> Wait | None:
    """Wait for the operations that were at work on the same servers before this one came; None when it is its turn."""
    holder = plans.ahead_of(context.params["after"])
    return Wait(TURN_SECONDS, note=f"operation {holder} is at work on the same servers") if holder else None


def removed(context: Context, parts: list[Part]) -> Wait | None:
    """Take one step towards nothing being left of the parts; None when nothing is."""
    parts = [part for part in parts if part.servers]
    if not parts:
        context.log("Nothing was installed: there is nothing to remove.")
        return None
    refuse_unless_emulated(parts)
    plans.refuse_unless_running([server for part in parts for server in part.servers])
    return walk(context, tasks_of(parts, REMOVING), so_far="removed")


def checked(context: Context, parts: list[Part], files: tuple[str, ...]) -> Done:
    """Answer what would be done."""
    context.log("Only checked: nothing was changed.")
    return Done({"check_mode": True, "changes": changes(parts, files)})
