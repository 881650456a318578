"""Locks on servers: the row's own, and the unfinished operation that holds the server."""

from __future__ import annotations

from apps.operations import services as operations
from apps.operations import transitions
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.servers.errors import OtherWorkspace
from apps.servers.models import Server
from apps.system.errors import NotFound


def locked_server(server_id: str, workspace: str | None = None) -> Server:
    """Return a server under lock, in the workspace if one is given. Raises NotFound, OtherWorkspace."""
    rows = Server.objects.select_for_update(of=("self",)).select_related("workspace", "account")
    server = rows.filter(pk=server_id).first()
    if server is None:
        raise NotFound(what="server", id=server_id)
    if workspace is not None and workspace != server.workspace.name:
        raise OtherWorkspace(server=server_id, workspace=workspace)
    return server


def free_target(server: Server, *, force: bool) -> Operation | None:
    """Make sure that no operation holds the server; with force, take over from one at rest and return it.

    Raises TargetBusy.
    """
    holder = operations.holder_of(server.target)
    if holder is None:
        return None
    if not (force and transitions.take_over(holder, reason="Superseded by the forced deletion of its server.")):
        raise TargetBusy(target=server.target, holder=holder.pk)
    return holder
