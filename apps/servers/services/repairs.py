"""What a person has done about drift: accept what the cloud shows, make the machine anew, or forget the server."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.servers.errors import NotDrifted, NotGone, ServerProtected
from apps.servers.models import Drift, Orphan, Server
from apps.servers.services import CREATE, evictors, forget, free_target, locked_server, occupants
from apps.servers.services.drift import NONE
from apps.servers.services.limits import free_slot
from apps.servers.services.power import gone, refuse_if_worked_on

ADOPT, RECREATE, FORGET = "server.adopt", "server.recreate", "server.forget"
Status = Server.Status


# ── asked for ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def adopt_server(*, server_id: str, actor: User | None, workspace: str | None = None) -> Operation:
    """Queue the acceptance of what the cloud shows of a server: its state and plan become the right ones.

    Raises NotFound, OtherWorkspace, TargetBusy, NotDrifted.
    """
    server = free_server(server_id, workspace)
    if not server.drift and server.status != Status.FAILED:
        raise NotDrifted(hostname=server.hostname, status=server.status)
    return submit(ADOPT, server, actor)


@transaction.atomic
def recreate_server(*, server_id: str, actor: User | None, workspace: str | None = None) -> Operation:
    """Queue the making of a new machine for a server whose machine is gone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotGone.
    """
    server = free_server(server_id, workspace)
    if server.drift != Drift.GONE and server.status != Status.FAILED:
        raise NotGone(hostname=server.hostname, status=server.status)
    refuse_if_worked_on(server)
    operation = submit(RECREATE, server, actor, was=server.status)
    Server.objects.filter(pk=server.pk).update(status=Status.PENDING)
    return operation


@transaction.atomic
def forget_server(*, server_id: str, actor: User | None, workspace: str | None = None) -> Operation:
    """Queue the removal of a server whose machine is gone; that it is, the worker proves first.

    Raises NotFound, OtherWorkspace, TargetBusy, ServerProtected.
    """
    server = free_server(server_id, workspace)
    if server.protected:
        raise ServerProtected(hostname=server.hostname, server=server.id)
    return submit(FORGET, server, actor)


def free_server(server_id: str, workspace: str | None) -> Server:
    """Return a server under lock, with no operation on it or on an orphan that carries its mark.

    Raises NotFound, OtherWorkspace, TargetBusy.
    """
    server = locked_server(server_id, workspace)
    free_target(server, force=False)
    for orphan in Orphan.objects.filter(server_id=server.id):
        operations.refuse_if_busy(orphan.target)
    return server


def submit(kind: str, server: Server, actor: User | None, **params: Any) -> Operation:
    """Queue an operation on a server; it is told of an order whose answer may still be on its way."""
    return operations.submit(
        kind=kind,
        workspace=server.workspace,
        actor=actor,
        target=server.target,
        params={"server": server.id, "asked_at": last_order(server)} | params,
        time_limit=server.account.time_limit,
        lane=server.account.lane,
    )


def last_order(server: Server) -> str | None:
    """Return when a machine was last ordered for a server that has none."""
    if server.ref:
        return None
    orders = Operation.objects.filter(target=server.target, kind__in=(CREATE, RECREATE)).order_by("created_at")
    last = orders.last()
    return last and last.state.get("asked_at")


# ── while they run ────────────────────────────────────────────────────────────────────────────────────────────────────
def installed(server: Server) -> list[str]:
    """Name what was installed on a server."""
    return [name for names in occupants for name in names(server)]


@transaction.atomic
def clear_machine(server: Server) -> None:
    """Let a server have no machine, nor anything on it, once the machine is proven gone."""
    for evict in evictors:
        evict(server)
    Server.objects.filter(pk=server.pk).update(ref="", ip_address=None, ssh_port=22, disks=[], seen_state="", **NONE)


# ── what operations mean for the row ──────────────────────────────────────────────────────────────────────────────────
def settle_adoption(operation: Operation) -> None:
    """Bring the row to what was found at the cloud."""
    row = Server.objects.filter(pk=operation.params["server"])
    if operation.status == Operation.Status.COMPLETED:
        row.update(status=operation.result["status"], **NONE)
        if plan := operation.result["plan"]:
            row.exclude(size=plan).exclude(size="", plan=plan).update(plan=plan, size=plan)
    elif operation.error_code == "MACHINE_GONE":
        row.update(status=Status.FAILED, **gone(operation.error))


def settle_recreation(operation: Operation) -> None:
    """Bring the row to what making the machine anew came to; one that never began leaves it as it was."""
    row = Server.objects.filter(pk=operation.params["server"])
    free_slot(operation.params["server"])
    if operation.status == Operation.Status.COMPLETED:
        row.update(status=Status.RUNNING, ip_address=operation.result["ip_address"], **NONE)
    elif not operation.state.get("absent"):
        row.update(status=operation.params["was"])
    elif operation.is_undoing:
        row.update(status=Status.DELETING)
    elif operation.status == Operation.Status.FAILED or operation.error:
        row.update(status=Status.FAILED)
    else:
        no_machine = {"ref": "", "ip_address": None, "disks": [], "seen_state": ""}
        row.update(status=Status.FAILED, **no_machine, **gone("It has no machine: its recreation was cancelled."))


def settle_forgetting(operation: Operation) -> None:
    """Remove the row of a server whose machine is proven gone."""
    if operation.status == Operation.Status.COMPLETED:
        forget(Server.objects.filter(pk=operation.params["server"]))
