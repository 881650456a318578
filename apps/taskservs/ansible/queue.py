"""The queue of runs: claim, renew, record and lose them, each write under the lease's fence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from apps.operations import transitions
from apps.operations.models import DrainMode
from apps.operations.queue.leases import in_seconds, lease_seconds
from apps.operations.worker import node_processes
from apps.taskservs.models import AnsibleRun

CHANNEL = "ansible_runs"
CLAIM_LOCK_ID = 0x616E7369  # any number that no other program on the database locks
CANDIDATES = 200
State = AnsibleRun.State


@dataclass(frozen=True)
class RunLease:
    """The right to write about one run, as long as nobody has claimed or ended it since."""

    run_id: UUID
    fence: int


def notify() -> None:
    """Wake the runners when the transaction commits, and have this node start its own if it does not run.

    On SQLite they see each commit by themselves.
    """
    transaction.on_commit(node_processes.wake_supervisor)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def has_work() -> bool:
    """Tell whether a run is queued, or has been left by its runner."""
    lost = Q(state=State.RUNNING, lease_until__lt=Now())
    return AnsibleRun.objects.filter(Q(state=State.QUEUED) | lost).exists()


@transaction.atomic
def claim(*, owner: str, max_count: int) -> list[RunLease]:
    """Take up to `max_count` queued runs, the oldest first, that share no server with one under way or with each other.

    While the installation is drained, none.
    """
    if max_count <= 0 or not AnsibleRun.objects.filter(state=State.QUEUED).exists() or DrainMode.objects.exists():
        return []
    lock_claims()
    busy = {id for ids in held().values_list("server_ids", flat=True) for id in ids}
    taken: list[RunLease] = []
    queued = AnsibleRun.objects.filter(state=State.QUEUED).order_by("created_at", "id")
    for run in queued.only("id", "server_ids", "fence")[:CANDIDATES]:
        if len(taken) < max_count and not busy.intersection(run.server_ids) and take(run, owner):
            taken.append(RunLease(run.pk, run.fence + 1))
        busy.update(run.server_ids)  # a later run does not overtake an earlier one on the same server
    return taken


def lock_claims() -> None:
    """Let one node claim at a time, so that no two take runs that share a server; SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK_ID])


def take(run: AnsibleRun, owner: str) -> bool:
    """Make a queued run the owner's."""
    changes: dict[str, Any] = {"state": State.RUNNING, "lease_owner": owner[:128], "fence": F("fence") + 1}
    changes |= {"lease_until": in_seconds(lease_seconds()), "started_at": Now()}
    return bool(AnsibleRun.objects.filter(pk=run.pk, state=State.QUEUED, fence=run.fence).update(**changes))


def held() -> Any:
    """Select the runs that a runner holds."""
    return AnsibleRun.objects.filter(state=State.RUNNING, lease_until__gte=Now())


def owned_by(lease: RunLease) -> Any:
    """Select the run if the lease still holds it."""
    return AnsibleRun.objects.filter(pk=lease.run_id, fence=lease.fence, state=State.RUNNING)


def renew(lease: RunLease) -> bool:
    """Move the lease's end; False when it is lost."""
    return bool(owned_by(lease).update(lease_until=in_seconds(lease_seconds())))


@transaction.atomic
def finish(lease: RunLease, *, state: str, **result: Any) -> bool:
    """Record what came of a run and wake its operation; False when the lease is lost."""
    if not owned_by(lease).update(state=state, sealed_request="", lease_owner="", ended_at=Now(), **result):
        return False
    wake_operation(lease.run_id)
    return True


def mark_lost() -> int:
    """Mark the runs whose runner has let its lease run out, and wake their operations; returns how many."""
    expired = AnsibleRun.objects.filter(state=State.RUNNING, lease_until__lt=Now())
    return sum(lose(RunLease(id, fence)) for id, fence in expired.values_list("id", "fence"))


@transaction.atomic
def lose(lease: RunLease) -> bool:
    """Mark a run as lost; the next run on its servers ends what is left of it there."""
    lost: dict[str, Any] = {"state": State.LOST, "sealed_request": "", "lease_owner": "", "fence": F("fence") + 1}
    if not owned_by(lease).filter(lease_until__lt=Now()).update(**lost, ended_at=Coalesce("ended_at", Now())):
        return False
    wake_operation(lease.run_id)
    return True


def wake_operation(run_id: UUID) -> None:
    """Make the run's operation due now."""
    transitions.wake(AnsibleRun.objects.values_list("operation_id", flat=True).get(pk=run_id))
