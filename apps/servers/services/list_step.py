"""Listing a workspace's servers as a step of a workflow."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workspaces.services import workspace_named

LIST = "server.list"


def submit_list(*, workspace: str, actor: User | None, parent: Operation | None = None) -> Operation:
    """Queue the listing of a workspace's servers. Raises UnknownWorkspace."""
    place = workspace_named(workspace)
    return operations.submit(kind=LIST, workspace=place, actor=actor, params={}, parent=parent)


def listed(operation: Operation) -> list[dict[str, Any]]:
    """Return id, host name and status of the servers that the workspace of an operation has."""
    rows = Server.objects.filter(workspace=operation.workspace_id).order_by("hostname")
    return [{"server_id": row.id, "hostname": row.hostname, "status": row.status} for row in rows]
