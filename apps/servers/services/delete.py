"""Server deletion: what refuses it, and what its outcome means for the row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.servers import registry
from apps.servers.errors import OtherServer, OtherWorkspace, ServerOccupied, ServerProtected
from apps.servers.models import DeletedServer, Server
from apps.servers.progress import ordered_at
from apps.servers.services.limits import release_order_slot
from apps.servers.services.locking import free_target, locked_server
from apps.servers.services.submit import submit_for_server
from apps.system.errors import NotFound

DELETE = "server.delete"
Status = Server.Status


@transaction.atomic
def delete_server(
    *,
    server_id: str,
    actor: User | None,
    workspace: str | None = None,
    confirm_id: str | None = None,
    force: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue a server's deletion, disks included.

    `force` deletes it with its taskservs, and takes over from an operation that holds it, unless a worker is at work on
    that. It still forgets nothing: the row goes when the cloud has proven that no machine is left. It does not lift a
    protection. Raises NotFound, OtherServer, OtherWorkspace, ServerProtected, ServerOccupied, TargetBusy.
    """
    if force:  # whoever cancels an operation locks it before its server, too
        operations.lock_holder(f"server:{server_id}")
    server = locked_server(server_id, workspace)
    if confirm_id is not None and confirm_id != server_id:
        raise OtherServer(given=confirm_id, server=server_id, field="server_id")
    if server.protected:
        raise ServerProtected(hostname=server.hostname, server=server.id)
    taken = free_target(server, force=force)
    refuse_if_occupied(server, force=force)
    asked_at = ordered_at(taken) if taken else None
    # The answer to an order may still be on its way.
    ordered: dict[str, Any] = {"asked_at": asked_at} if asked_at else {}
    operation = submit_for_server(server, DELETE, actor=actor, parent=parent, was=server.status, **ordered)
    Server.objects.filter(pk=server.pk).update(status=Status.DELETING)
    return operation


def preflight_deletion(*, server_id: str, workspace: str, **others: Any) -> None:
    """Refuse now what a later deletion would be refused for. Raises NotFound, OtherWorkspace, ServerProtected."""
    server = Server.objects.select_related("workspace").filter(pk=server_id).first()
    if server is None:
        raise NotFound(what="server", id=server_id)
    if workspace != server.workspace.name:
        raise OtherWorkspace(server=server_id, workspace=workspace)
    if server.protected:
        raise ServerProtected(hostname=server.hostname, server=server.id)


def refuse_if_occupied(server: Server, *, force: bool) -> None:
    """Refuse while anything is installed on the server. Raises ServerOccupied."""
    found = [] if force else registry.occupants_of(server)
    if found:
        raise ServerOccupied(hostname=server.hostname, occupants=", ".join(found))


def apply_deletion_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what a deletion came to."""
    row = Server.objects.filter(pk=operation.params["server"])
    match outcome:
        case Outcome.COMPLETED:
            release_order_slot(operation.params["server"])  # one that a forced deletion took over still has it
            forget(row)
        case Outcome.FAILED | Outcome.CANCELLED_LEFTOVER:
            row.update(status=Status.FAILED)
        case Outcome.CANCELLED_CLEAN:
            row.filter(status=Status.DELETING).update(status=operation.params["was"])


def forget(row: Any) -> None:
    """Delete the row of a machine that is proven gone, and what was on it; its hostname is remembered."""
    gone = list(row)
    for server in gone:
        registry.evict_occupants(server)
    row.delete()
    remember(gone)


def remember(gone: list[Server]) -> None:
    """Keep hostnames as long as operations are kept."""
    rows = [DeletedServer(id=server.id, hostname=server.hostname) for server in gone]
    DeletedServer.objects.bulk_create(rows, ignore_conflicts=True)
    oldest = timezone.now() - timedelta(days=settings.OPERATIONS["keep_days"])
    DeletedServer.objects.filter(deleted_at__lt=oldest).delete()
