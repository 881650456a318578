"""Removing a taskserv: what refuses it, and what the outcome means for the rows."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.servers.models import Server
from apps.taskservs import machines
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.errors import StillRequired
from apps.taskservs.install_plan import begun_part
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.progress import progress_of
from apps.taskservs.services import installations
from apps.taskservs.services.lookup import taskserv_for

DELETE = "taskserv.delete"
Status = Taskserv.Status


@transaction.atomic
def delete_taskserv(
    *,
    taskserv_id: str,
    actor: User | None,
    workspace: str | None = None,
    confirm_id: str | None = None,
    purge: bool = False,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue a taskserv's removal from all its servers; its data stay there unless `purge`.

    Raises NotFound, OtherWorkspace, OtherTaskserv, TargetBusy, EntryGone, StillRequired, ServerNotRunning.
    """
    held = machines.locked(Server.objects.filter(installations__taskserv=taskserv_id))
    taskserv = taskserv_for(actor, taskserv_id, workspace, confirm_id)
    operations.refuse_if_busy(taskserv.target)
    part = begun_part(taskserv)
    refuse_if_required(taskserv, part.servers)
    machines.refuse_unless_running(part.servers)
    params = {"taskserv": taskserv.id, "was": taskserv.status, "after": machines.unfinished_on(held)}
    operation = operations.submit(
        kind=DELETE,
        workspace=taskserv.workspace,
        actor=actor,
        target="" if check_mode else taskserv.target,
        params={**params, "purge": purge, "plan": [part.as_params()]},
        check_mode=check_mode,
        parent=parent,
    )
    if not check_mode:
        Taskserv.objects.filter(pk=taskserv.pk).update(status=Status.DELETING)
    return operation


def refuse_if_required(taskserv: Taskserv, servers: list[Server]) -> None:
    """Refuse while another taskserv on one of the servers needs this one. Raises StillRequired naming it."""
    names = [each.name for each in load_catalog(taskserv.workspace.path).values() if taskserv.name in each.requires]
    needing = Installation.objects.filter(server__in=servers, taskserv__name__in=names)
    found = needing.select_related("taskserv", "server").first()
    if found:
        raise StillRequired(
            taskserv=taskserv.id,
            other=found.taskserv.name,
            other_id=found.taskserv_id,
            hostname=found.server.hostname,
        )


def apply_deletion_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what a removal came to; one that never began has left everything as it was."""
    row = Taskserv.objects.filter(pk=operation.params["taskserv"], status=Status.DELETING)
    if operation.check_mode:
        return
    if outcome is Outcome.COMPLETED:
        row.delete()
    elif progress_of(operation).get("begun"):
        installations.interrupt(list(row.values_list("pk", flat=True)), operation.error or "Its removal was cancelled.")
        row.update(status=Status.FAILED)
    else:
        row.update(status=operation.params["was"])
