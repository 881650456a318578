"""Starting, stopping and rebooting servers: the rules, and the rows."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.servers import registry
from apps.servers.errors import NotAtRest, NotRunning
from apps.servers.models import Drift, Server
from apps.servers.progress import ordered_at
from apps.servers.services.locking import free_target, locked_server
from apps.servers.services.submit import submit_for_server

START, STOP, REBOOT = "server.start", "server.stop", "server.reboot"
MACHINE_GONE = "MACHINE_GONE"
Status = Server.Status


@transaction.atomic
def start_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue a server's start; one that runs already is found to, and left alone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest.
    """
    server = idle_server(server_id, workspace, verb="started")
    return submit_power(server, START, actor, parent)


@transaction.atomic
def stop_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue a server's stop, as by its power switch; one that is stopped already is found to be, and left alone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest.
    """
    server = idle_server(server_id, workspace, verb="stopped")
    refuse_if_worked_on(server)
    return submit_power(server, STOP, actor, parent)


@transaction.atomic
def reboot_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue the reboot of a running server. Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest, NotRunning."""
    server = idle_server(server_id, workspace, verb="rebooted")
    if server.status != Status.RUNNING and server.drift != Drift.STARTED:
        raise NotRunning(hostname=server.hostname)
    refuse_if_worked_on(server)
    return submit_power(server, REBOOT, actor, parent)


def idle_server(server_id: str, workspace: str | None, *, verb: str) -> Server:
    """Return a server that runs or is stopped, under lock, with no operation on it.

    What the row says need not be what is true at the cloud by now: the worker looks. Raises NotFound, OtherWorkspace,
    TargetBusy, NotAtRest.
    """
    server = locked_server(server_id, workspace)
    free_target(server, force=False)
    if server.status not in (Status.RUNNING, Status.STOPPED):
        raise NotAtRest(hostname=server.hostname, status=server.status, verb=verb)
    return server


def refuse_if_worked_on(server: Server) -> None:
    """Refuse while something is being installed on the server or removed from it. Raises TargetBusy."""
    holder = next(iter(registry.busy_operations_on(server)), None)
    if holder:
        raise TargetBusy(target=server.target, holder=holder)


def submit_power(server: Server, kind: str, actor: User | None, parent: Operation | None) -> Operation:
    """Queue the operation, with the address from before it."""
    return submit_for_server(server, kind, actor=actor, parent=parent, ip_address=server.ip_address)


# ── what operations mean for the row ──────────────────────────────────────────────────────────────────────────────────
def apply_power_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what a start, stop or reboot came to.

    One that was cancelled has set the status itself, as seen at the cloud. One that failed leaves what was last seen
    there, and only if it had asked for something.
    """
    row = Server.objects.filter(pk=operation.params["server"])
    if outcome is Outcome.COMPLETED:
        row.update(status=operation.completed_result["status"])
        row.exclude(drift=Drift.RESIZED).update(drift="", drift_note="", drift_seen_at=None)
    elif operation.error_code == MACHINE_GONE:
        row.update(status=Status.FAILED, **gone(operation.error or ""))
    elif outcome in (Outcome.FAILED, Outcome.CANCELLED_LEFTOVER) and ordered_at(operation):
        row.filter(seen_state__in=(Status.RUNNING, Status.STOPPED)).update(status=F("seen_state"))


def gone(note: str) -> dict[str, Any]:
    """Return the drift of a machine that is no longer there."""
    return {"drift": Drift.GONE, "drift_note": note[:255], "drift_seen_at": timezone.now()}


def taken_back(kind: str, result: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the operation that takes a finished start or stop back, None when that has changed nothing."""
    return (kind, {"server_id": result["server_id"]}) if result["changed"] else None
