"""Removing taskservs from servers."""

from __future__ import annotations

from apps.operations.handler_api import Context, Done, Wait
from apps.taskservs import install_plan
from apps.taskservs.handlers.steps import checked, removed, stopped, wait_for_others
from apps.taskservs.models import Taskserv
from apps.taskservs.plays import removing


def delete_taskserv(context: Context) -> Done | Wait:
    """Remove the taskserv from every server that the installer has touched for it."""
    taskserv = Taskserv.objects.filter(pk=context.params["taskserv"]).first()
    parts = [install_plan.begun_part(taskserv)] if taskserv else []
    purge = context.params.get("purge", False)
    if context.operation.check_mode:
        install_plan.refuse_foreign_paths(parts)
        return checked(context, removing(parts, purge=purge))
    if turn := wait_for_others(context):
        return turn
    return removed(context, parts, purge=purge) or Done({"taskserv_id": context.params["taskserv"]})


def stop_deletion(context: Context) -> Done | Wait:
    """Stop the run of a cancelled removal; what it has removed stays removed."""
    return stopped(context) or Done()
