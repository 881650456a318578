"""A taskserv in full: its servers, their state and health, and where clients connect."""

from __future__ import annotations

from typing import Any

from apps.operations.services import holder_of
from apps.system.errors import NotFound
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import Taskserv
from apps.taskservs.services import credentials
from apps.taskservs.services.health import worst
from apps.taskservs.topology import endpoints_of


def taskserv_in_full(taskservs: Any, id: str) -> Taskserv:
    """Return a taskserv with `members`, `health`, `endpoints` and `operation`. Raises NotFound."""
    taskserv = taskservs.select_related("workspace").filter(pk=id).first()
    if taskserv is None:
        raise NotFound(what="taskserv", id=id)
    definition, holder = load_catalog(taskserv.workspace.path).get(taskserv.name), holder_of(taskserv.target)
    taskserv.members = list(taskserv.installations.select_related("server").order_by("position", "id"))
    taskserv.health = worst(each.health for each in taskserv.members)
    taskserv.endpoints = endpoints_of(definition, taskserv.config, taskserv.members) if definition else []
    taskserv.operation = str(holder.pk) if holder else None
    taskserv.config = credentials.shown_config(taskserv)
    return taskserv
