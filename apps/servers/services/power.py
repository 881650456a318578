"""Starting, stopping and rebooting servers: the rules, and the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.servers.errors import NotAtRest, NotRunning
from apps.servers.models import Drift, Server
from apps.servers.services import REBOOT, START, STOP, free_target, locked_server

MACHINE_GONE = "MACHINE_GONE"
Status = Server.Status

# Apps above fill this in: the ids of the operations at work on what is on a server, which a stop would break.
busy_with: list[Callable[[Server], list[str]]] = []


@transaction.atomic
def start_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue a server's start; one that runs already is found to, and left alone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest.
    """
    server = server_at_rest(server_id, workspace, verb="started")
    return submit(START, server, actor, parent)


@transaction.atomic
def stop_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue a server's stop, as by its power switch; one that is stopped already is found to be, and left alone.

    Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest.
    """
    server = server_at_rest(server_id, workspace, verb="stopped")
    refuse_if_worked_on(server)
    return submit(STOP, server, actor, parent)


@transaction.atomic
def reboot_server(
    *, server_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue the reboot of a running server. Raises NotFound, OtherWorkspace, TargetBusy, NotAtRest, NotRunning."""
    server = server_at_rest(server_id, workspace, verb="rebooted")
    if server.status != Status.RUNNING and server.drift != Drift.STARTED:
        raise NotRunning(hostname=server.hostname)
    refuse_if_worked_on(server)
    return submit(REBOOT, server, actor, parent)


def server_at_rest(server_id: str, workspace: str | None, *, verb: str) -> Server:
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
    holder = next((holder for holders in busy_with for holder in holders(server)), None)
    if holder:
        raise TargetBusy(target=server.target, holder=holder)


def submit(kind: str, server: Server, actor: User | None, parent: Operation | None) -> Operation:
    """Queue the operation."""
    return operations.submit(
        kind=kind,
        workspace=server.workspace,
        actor=actor,
        target=server.target,
        params={"server": server.id, "ip_address": server.ip_address},
        parent=parent,
        time_limit=server.account.time_limit,
        lane=server.account.lane,
    )


# ── what operations mean for the row ──────────────────────────────────────────────────────────────────────────────────
def settle_power(operation: Operation) -> None:
    """Bring the row to what a start, stop or reboot came to.

    One that was cancelled has set the status itself, as seen at the cloud. One that failed leaves what was last seen
    there, and only if it had asked for something.
    """
    row = Server.objects.filter(pk=operation.params["server"])
    if operation.status == Operation.Status.COMPLETED:
        row.update(status=operation.result["status"])
        row.exclude(drift=Drift.RESIZED).update(drift="", drift_note="", drift_seen_at=None)
    elif operation.error_code == MACHINE_GONE:
        row.update(status=Status.FAILED, **gone(operation.error))
    elif operation.error and operation.state.get("asked_at"):
        row.filter(seen_state__in=(Status.RUNNING, Status.STOPPED)).update(status=F("seen_state"))


def gone(note: str) -> dict[str, Any]:
    """Return the drift of a machine that is no longer there."""
    return {"drift": Drift.GONE, "drift_note": note[:255], "drift_seen_at": timezone.now()}


def taken_back(kind: str, result: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the operation that takes a finished start or stop back, None when that has changed nothing."""
    return (kind, {"server_id": result["server_id"]}) if result["changed"] else None
