"""Preflight checks of taskservs: raise, before a workflow's first step, what is certain to refuse a later one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from apps.taskservs.catalog_loader import definition_named, secret_options
from apps.taskservs.config_validation import checked
from apps.taskservs.install_plan import definition_of
from apps.taskservs.services.lookup import taskserv_for
from apps.taskservs.topology import refuse_wrong_number
from apps.workspaces.services import workspace_named


def preflight_change(
    *,
    taskserv_id: str,
    workspace: str,
    version: str | None = None,
    servers: Collection[str] | None = None,
    **others: Any,
) -> None:
    """Refuse what a later change would be refused for.

    Raises NotFound, OtherWorkspace, EntryGone, UnknownVersion, WrongNumberOfServers.
    """
    taskserv = taskserv_for(None, taskserv_id, workspace)
    if version is not None:
        checked(definition_of(taskserv), {"version": version})
    if servers is not None:
        refuse_wrong_number(definition_of(taskserv), len(servers))


def preflight_creation(
    *, name: str, workspace: str, servers: Collection[str], config: dict[str, Any] | None = None, **others: Any
) -> None:
    """Refuse what a later installation would be refused for.

    Raises UnknownWorkspace, UnknownTaskserv, BadDefinition, UnknownVersion, BadConfig, WrongNumberOfServers.
    """
    place = workspace_named(workspace)
    definition = definition_named(name, place.path)
    checked(definition, config or {}, secret=secret_options(name, place.path))
    refuse_wrong_number(definition, len(servers))
