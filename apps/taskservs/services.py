"""Installing and removing taskservs: the rules, and the rows."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.errors import NotFound
from apps.taskservs import plans
from apps.taskservs.catalogue import catalogue, definition_named
from apps.taskservs.configs import checked
from apps.taskservs.errors import OtherTaskserv, OtherWorkspace, StillRequired
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.plans import Part
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named

CREATE, DELETE = "taskserv.create", "taskserv.delete"
Status = Taskserv.Status


# ── what is asked for ─────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def create_taskserv(
    *,
    workspace: str,
    actor: User | None,
    name: str,
    servers: list[str],
    config: dict[str, Any] | None = None,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Record a taskserv, with the required ones that its servers lack, and queue their installation.

    In check mode nothing is recorded; the operation lists what would be done. Raises UnknownWorkspace, UnknownTaskserv,
    UnknownVersion, BadConfig, UnknownServer, ServerNotRunning, AlreadyInstalled, InConflict, RequirementLeaving.
    """
    place, definition = workspace_named(workspace), definition_named(name)
    version, options = checked(definition, config or {})
    machines = plans.machines_named(place, servers)
    plans.refuse_unless_running(machines)
    parts = plans.parts_for(definition, version, options, machines)
    params: dict[str, Any] = {"after": plans.unfinished_on(machines)}
    if not check_mode:
        record(place, parts)
    return operations.submit(
        kind=CREATE,
        workspace=place,
        actor=actor,
        target="" if check_mode else parts[-1].target,
        target_is_new=True,
        params={"plan": [part.as_params() for part in parts], **params},
        check_mode=check_mode,
        parent=parent,
    )


def record(workspace: Workspace, parts: list[Part]) -> None:
    """Write the rows of what is about to be installed."""
    for part in parts:
        taskserv = Taskserv.objects.create(
            workspace=workspace, name=part.definition.name, version=part.version, config=part.config
        )
        Installation.objects.bulk_create([Installation(taskserv=taskserv, server=server) for server in part.servers])
        part.taskserv_id = taskserv.id


@transaction.atomic
def delete_taskserv(
    *,
    taskserv_id: str,
    actor: User | None,
    workspace: str | None = None,
    confirm_id: str | None = None,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue a taskserv's removal from all its servers.

    Raises NotFound, OtherWorkspace, OtherTaskserv, TargetBusy, StillRequired, ServerNotRunning.
    """
    machines = plans.locked(Server.objects.filter(installations__taskserv=taskserv_id))
    taskserv = taskserv_for(actor, taskserv_id, workspace)
    if confirm_id is not None and confirm_id != taskserv_id:
        raise OtherTaskserv(given=confirm_id, taskserv=taskserv_id, field="taskserv_id")
    operations.refuse_if_busy(taskserv.target)
    touched = list(Server.objects.filter(installations__in=taskserv.installations.exclude(begun_at=None)))
    refuse_if_required(taskserv, touched)
    plans.refuse_unless_running(touched)
    operation = operations.submit(
        kind=DELETE,
        workspace=taskserv.workspace,
        actor=actor,
        target="" if check_mode else taskserv.target,
        params={"taskserv": taskserv.id, "was": taskserv.status, "after": plans.unfinished_on(machines)},
        check_mode=check_mode,
        parent=parent,
    )
    if not check_mode:
        Taskserv.objects.filter(pk=taskserv.pk).update(status=Status.DELETING)
    return operation


def taskserv_for(user: User | None, id: str, workspace: str | None) -> Taskserv:
    """Return a taskserv the user may see, in the workspace if one is given. Raises NotFound, OtherWorkspace."""
    taskserv = Taskserv.objects.visible_to(user).select_related("workspace").filter(pk=id).first()
    if taskserv is None:
        raise NotFound(what="taskserv", id=id)
    if workspace is not None and workspace != taskserv.workspace.name:
        raise OtherWorkspace(taskserv=id, workspace=workspace)
    return taskserv


def refuse_if_required(taskserv: Taskserv, machines: list[Server]) -> None:
    """Refuse while another taskserv on one of the machines needs this one. Raises StillRequired naming it."""
    names = [each.name for each in catalogue().values() if taskserv.name in each.requires]
    needing = Installation.objects.filter(server__in=machines, taskserv__name__in=names)
    found = needing.select_related("taskserv", "server").first()
    if found:
        facts = {"other": found.taskserv.name, "other_id": found.taskserv_id, "hostname": found.server.hostname}
        raise StillRequired(taskserv=taskserv.id, **facts)


# ── what servers ask ──────────────────────────────────────────────────────────────────────────────────────────────────
def occupants(server: Server) -> list[str]:
    """Name what is installed on a server."""
    return [f"{taskserv.name} ({taskserv.id})" for taskserv in server.taskservs.all()]


def at_work_on(server: Server) -> list[str]:
    """Return the ids of the operations that install or remove something on a server."""
    return plans.unfinished_on([server])


def installed_on(servers: QuerySet[Server]) -> QuerySet:
    """Return what is installed and works, as pairs of a server's id and a taskserv's name."""
    working = Installation.objects.filter(server__in=servers.order_by(), taskserv__status=Status.RUNNING)
    return working.values_list("server_id", "taskserv__name")


def evict(server: Server) -> None:
    """Forget what was installed on a server that is gone."""
    held = list(server.taskservs.values_list("pk", flat=True))
    server.installations.all().delete()
    Taskserv.objects.filter(pk__in=held, installations=None).delete()


# ── what operations mean for the rows ─────────────────────────────────────────────────────────────────────────────────
def note_begun(taskserv_ids: list[str]) -> None:
    """Note that the installer touches the servers of these taskservs; what failed there before is theirs now."""
    mine = Installation.objects.filter(taskserv__in=taskserv_ids)
    mine.filter(begun_at=None).update(begun_at=timezone.now())
    for server, name in list(mine.values_list("server", "taskserv__name")):
        before = Installation.objects.filter(server=server, taskserv__name=name, taskserv__status=Status.FAILED)
        before.exclude(taskserv__in=taskserv_ids).exclude(begun_at=None).update(begun_at=None)


def settle_creation(operation: Operation) -> None:
    """Bring the rows to what an installation came to."""
    rows = Taskserv.objects.filter(pk__in=[part["taskserv"] for part in operation.params["plan"]])
    installed = operation.state.get("installed", [])
    if operation.check_mode:
        return
    if operation.status == Operation.Status.COMPLETED:
        rows.update(status=Status.RUNNING)
    elif operation.status == Operation.Status.FAILED:
        rows.filter(pk__in=installed).update(status=Status.RUNNING)
        rows.exclude(pk__in=installed).update(status=Status.FAILED)
    elif operation.error:
        rows.update(status=Status.FAILED)
    elif operation.is_undoing:
        rows.update(status=Status.DELETING)
    else:
        rows.delete()


def settle_deletion(operation: Operation) -> None:
    """Bring the row to what a removal came to; one that never began has left everything as it was."""
    row = Taskserv.objects.filter(pk=operation.params["taskserv"], status=Status.DELETING)
    if operation.check_mode:
        return
    if operation.status == Operation.Status.COMPLETED:
        row.delete()
    else:
        row.update(status=Status.FAILED if operation.state.get("begun") else operation.params["was"])
