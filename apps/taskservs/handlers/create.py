"""Installing taskservs: short steps that may be repeated, in turn with others on the same servers."""

from __future__ import annotations

from typing import Any

from apps.operations.handler_api import Context, Done, Wait
from apps.taskservs import install_plan, machines
from apps.taskservs.handlers.steps import checked, parts_present, perform, removed, stopped, wait_for_others
from apps.taskservs.models import Taskserv
from apps.taskservs.plays import installing
from apps.taskservs.progress import progress_of


def create_taskserv(context: Context) -> Done | Wait:
    """Install what is required and then the taskserv itself, and verify each."""
    parts = parts_present(context)
    if context.operation.check_mode:
        return checked(context, installing(parts))
    if turn := wait_for_others(context):
        return turn
    machines.refuse_unless_running([server for part in parts for server in part.servers])
    install_plan.refuse_unmet(parts)
    return perform(context, installing(parts), so_far="walked") or Done(result_of(context, parts))


def result_of(context: Context, parts: list[install_plan.PlanItem]) -> dict[str, Any]:
    """Return what an installation answers; `changed` counts the tasks that changed something on a real machine."""
    item = parts[-1]
    hostnames = sorted(server.hostname for server in item.servers)
    result = {"taskserv_id": item.taskserv_id, "version": item.version, "servers": hostnames}
    emulated = any(machines.is_unreal(server) for server in item.servers)
    changed = progress_of(context.operation).get("changed", 0)
    return result if emulated and not item.was else {**result, "changed": changed}


def undo_creation(context: Context) -> Done | Wait:
    """Stop the run, then remove what a cancelled installation has begun, the last first."""
    if wait := stopped(context):
        return wait
    mine = [part for part in context.params["plan"] if part.get("was") != Taskserv.Status.RUNNING]
    ids = [part["taskserv"] for part in reversed(mine)]
    rows = Taskserv.objects.in_bulk(ids)
    return removed(context, [install_plan.begun_part(rows[id]) for id in ids if id in rows]) or Done()
