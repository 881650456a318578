"""Comparing an account's machines with its servers: what is compared, what differs, and what the rows then say.

Nothing is repaired: `status` follows what the cloud shows, `drift` says that it is not what was done here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers.models import CloudAccount
from apps.servers.models import Drift, Server

if TYPE_CHECKING:
    from apps.providers.drivers.base import Machine

COMPARE = "servers.compare"
Status = Server.Status
COMPARED = (Status.RUNNING, Status.STOPPED, Status.FAILED)
AT_REST = (Status.RUNNING, Status.STOPPED)
# What a server did before its machine was switched outside.
BEFORE: dict[str, str] = {Drift.STOPPED: Status.RUNNING, Drift.STARTED: Status.STOPPED}
NONE = {"drift": "", "drift_note": "", "drift_seen_at": None}


# ── asked for ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def compare_account(*, account: CloudAccount, actor: User | None = None) -> Operation:
    """Queue the comparison of an account; it belongs to no workspace, for it may have servers of many.

    Raises TargetBusy.
    """
    target, params = f"compare:{account.pk}", {"account": account.pk}
    return submit(kind=COMPARE, workspace=None, actor=actor, target=target, params=params)


def compare_all() -> None:
    """Queue the comparison of every account in use, leaving out those under way."""
    for account in accounts_in_use():
        with suppress(TargetBusy):
            compare_account(account=account)


def accounts_in_use() -> QuerySet[CloudAccount]:
    """Select the enabled accounts that have worked once: no other can have machines."""
    return CloudAccount.objects.filter(enabled=True).exclude(refreshed_at=None)


# ── what is left alone ────────────────────────────────────────────────────────────────────────────────────────────────
def clock(account: CloudAccount) -> datetime:
    """Return the database's time, which operations' times are of too."""
    return CloudAccount.objects.filter(pk=account.pk).values_list(Now(), flat=True).get()


def comparable(account: CloudAccount, began: datetime) -> list[Server]:
    """Return the account's servers that are at rest, before its machines are listed."""
    servers = list(account.servers.filter(status__in=COMPARED).order_by("pk"))
    held = touched_since(began)
    return [server for server in servers if server.target not in held]


def touching(began: datetime) -> QuerySet[Operation]:
    """Select the operations that hold a target, or held it when the listing began or `ORDER_LOOKUP_SECONDS` before it.

    What they did may not be in the list: neither what was made, nor that something is gone.
    """
    since = began - timedelta(seconds=settings.ORDER_LOOKUP_SECONDS, milliseconds=1)
    young = Q(created_at__gte=began - timedelta(days=1), updated_at__gte=since)
    return Operation.objects.filter(Q(due_at__isnull=False) | young).order_by()


def touched_since(began: datetime) -> set[str]:
    """Return the targets of those operations."""
    return set(touching(began).values_list("target", flat=True))


# ── what differs ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """The result of comparing a server with its machine: the values for its row, and a message about a change."""

    status: str
    drift: str = ""
    note: str = ""
    message: str = ""


def judge(server: Server, machine: Machine | None) -> DriftResult | None:
    """Compare a server with its machine, None for one that is proven gone.

    Returns None while the machine changes its state.
    """
    if machine is None:
        return missing(server)
    if machine.state not in AT_REST:
        return None
    status = server.status if server.status == Status.FAILED and server.drift != Drift.GONE else machine.state
    kind, note = difference(server, machine)
    if kind:
        return DriftResult(status=status, drift=kind, note=note, message=f"{server.hostname}: {note}")
    recovered = f"{server.hostname} is as it was again: {machine.state}."
    return DriftResult(status=status, message=recovered if server.drift else "")


def missing(server: Server) -> DriftResult | None:
    """Judge a server that has no machine; one that never had a machine has no drift."""
    if not server.ref:
        return None
    note = "Its machine is gone: it was deleted outside."
    return DriftResult(status=Status.FAILED, drift=Drift.GONE, note=note, message=f"{server.hostname}: {note}")


def difference(server: Server, machine: Machine) -> tuple[str, str]:
    """Return the kind of drift and a note; both empty where there is none."""
    kind, notes, failed = "", [], server.status == Status.FAILED
    was = server.status if failed else BEFORE.get(server.drift, server.status)
    if server.drift != Drift.GONE and machine.state != was:
        kind = Drift.STARTED if machine.state == Status.RUNNING else Drift.STOPPED
        outside = f"It was {kind} outside."
        notes.append(f"The last operation on it failed, and its machine is {machine.state}." if failed else outside)
    size = server.size or server.plan
    if machine.plan and machine.plan != size:
        kind = kind or Drift.RESIZED
        notes.append(f"Its plan was changed outside from {size} to {machine.plan}.")
    return kind, " ".join(notes)


# ── what the rows say ─────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def note_verdict(server: Server, verdict: DriftResult, machine: Machine | None, began: datetime) -> bool:
    """Write a verdict down, unless the server has changed since it was read or an operation has had it since.

    Returns whether it was still so. A drift that is known already keeps the time at which it was first seen.
    """
    as_it_was = {name: getattr(server, name) for name in ("ref", "status", "drift", "plan", "size")}
    row = Server.objects.select_for_update().filter(pk=server.pk, **as_it_was).first()
    if row is None or touching(began).filter(target=row.target).exists():
        return False
    facts: dict[str, Any] = {"status": verdict.status}
    if verdict.drift != server.drift or verdict.note != server.drift_note:
        seen_at = began if verdict.drift else None
        facts |= {"drift": verdict.drift, "drift_note": verdict.note[:255], "drift_seen_at": seen_at}
    if machine and machine.ip:
        facts |= {"ip_address": machine.ip, "ssh_port": machine.ssh_port}
    Server.objects.filter(pk=server.pk).update(**facts)
    return True


def is_news(server: Server, verdict: DriftResult, machine: Machine | None) -> bool:
    """Tell whether the row has to change."""
    known = (server.status, server.drift, server.drift_note)
    moved = bool(machine and machine.ip and (machine.ip, machine.ssh_port) != (server.ip_address, server.ssh_port))
    return moved or known != (verdict.status, verdict.drift, verdict.note[:255])


def note_compared(account: CloudAccount, began: datetime) -> None:
    """Note when the account was compared."""
    CloudAccount.objects.filter(pk=account.pk).update(compared_at=began)
