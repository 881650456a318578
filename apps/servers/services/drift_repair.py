"""What a person has done about drift: accept what the cloud shows, make the machine anew, or forget the server."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.servers import registry
from apps.servers.errors import NotDrifted, NotGone, ServerProtected
from apps.servers.models import Drift, Orphan, Server
from apps.servers.progress import is_machine_proven_absent, ordered_at
from apps.servers.services.create import CREATE
from apps.servers.services.delete import forget
from apps.servers.services.drift import NONE
from apps.servers.services.limits import release_order_slot
from apps.servers.services.locking import free_target, locked_server
from apps.servers.services.power import gone, refuse_if_worked_on
from apps.servers.services.submit import submit_for_server

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
    return submit_repair(server, ADOPT, actor)


@transaction.atomic
def recreate_server(*, server_id: str, actor: User | None, workspace: str | None = None) -> Operation:
    """Queue the making of a new machine for a server whose machine is gone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotGone.
    """
    server = free_server(server_id, workspace)
    if server.drift != Drift.GONE and server.status != Status.FAILED:
        raise NotGone(hostname=server.hostname, status=server.status)
    refuse_if_worked_on(server)
    operation = submit_repair(server, RECREATE, actor, was=server.status)
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
    return submit_repair(server, FORGET, actor)


def free_server(server_id: str, workspace: str | None) -> Server:
    """Return a server under lock, with no operation on it or on an orphan with its id.

    Raises NotFound, OtherWorkspace, TargetBusy.
    """
    server = locked_server(server_id, workspace)
    free_target(server, force=False)
    for orphan in Orphan.objects.filter(server_id=server.id):
        operations.refuse_if_busy(orphan.target)
    return server


def submit_repair(server: Server, kind: str, actor: User | None, **params: Any) -> Operation:
    """Queue an operation on a server, with the time of an order whose answer may still be on its way."""
    return submit_for_server(server, kind, actor=actor, asked_at=last_order(server), **params)


def last_order(server: Server) -> str | None:
    """Return when a machine was last ordered for a server that has none."""
    if server.ref:
        return None
    orders = Operation.objects.filter(target=server.target, kind__in=(CREATE, RECREATE)).order_by("created_at")
    last = orders.last()
    return ordered_at(last) if last else None


# ── while they run ────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def clear_machine(server: Server) -> None:
    """Clear the machine of a server, and what was on it, once the deletion is proven."""
    registry.evict_occupants(server)
    facts: dict[str, Any] = {"ref": "", "ip_address": None, "ssh_port": 22, "disks": [], "seen_state": "", **NONE}
    if server.ref:  # a machine that is still on order carries the key that is known
        facts |= {"ssh_host_key": "", "ordered_host_key": "", "sealed_host_key": ""}
    Server.objects.filter(pk=server.pk).update(**facts)


# ── what operations mean for the row ──────────────────────────────────────────────────────────────────────────────────
def apply_adoption_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what was found at the cloud."""
    row = Server.objects.filter(pk=operation.params["server"])
    if outcome is Outcome.COMPLETED:
        row.update(status=operation.completed_result["status"], sealed_host_key="", **NONE)
        if plan := operation.completed_result["plan"]:
            row.exclude(size=plan).exclude(size="", plan=plan).update(plan=plan, size=plan)
    elif operation.error_code == "MACHINE_GONE":
        row.update(status=Status.FAILED, **gone(operation.error or ""))


def apply_recreation_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what making the machine anew came to; one that never began leaves it as it was."""
    row = Server.objects.filter(pk=operation.params["server"])
    release_order_slot(operation.params["server"])
    if outcome is not Outcome.COMPLETED and not is_machine_proven_absent(operation):
        row.update(status=operation.params["was"])
        return
    match outcome:
        case Outcome.COMPLETED:
            row.update(status=Status.RUNNING, ip_address=operation.completed_result["ip_address"], **NONE)
        case Outcome.UNDOING:
            row.update(status=Status.DELETING)
        case Outcome.FAILED | Outcome.CANCELLED_LEFTOVER:
            row.update(status=Status.FAILED)
        case Outcome.CANCELLED_CLEAN:
            no_machine: dict[str, Any] = {"ref": "", "ip_address": None, "disks": [], "seen_state": ""}
            row.update(status=Status.FAILED, **no_machine, **gone("It has no machine: its recreation was cancelled."))


def apply_forgetting_outcome(operation: Operation, outcome: Outcome) -> None:
    """Remove the row of a server whose machine is proven gone."""
    if outcome is Outcome.COMPLETED:
        forget(Server.objects.filter(pk=operation.params["server"]))
