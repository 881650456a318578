"""Which workers live, what they hold, and whether due work is taken."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.operations import registry
from apps.operations.models import DrainMode, Operation, WorkerNode
from apps.operations.queue import leases

LIVE_SECONDS = 10


def register_heartbeat(name: str, *, workers: int, last: datetime | None = None) -> datetime:
    """Say that a node lives; returns what the next call gives as `last`.

    A row that does not say what the last call wrote is that of a database that was restored beneath the node, which
    counts as a new start.
    """
    now = timezone.now()
    facts = {"seen_at": Now(), "clock_at": now, "workers": workers}
    rows = WorkerNode.objects.filter(pk=name)
    if not (rows.filter(clock_at=last) if last else rows).update(**facts):
        facts |= {"version": settings.VERSION, "kinds": " ".join(registry.kinds()), "started_at": Now()}
        WorkerNode.objects.update_or_create(name=name, defaults=facts)
        forgotten = timezone.now() - timedelta(days=1)
        WorkerNode.objects.filter(seen_at__lt=forgotten).delete()
    return now


def last_start() -> datetime | None:
    """Return when a node last started: what was submitted before may come from a restored, older database."""
    return WorkerNode.objects.aggregate(latest=Max("started_at"))["latest"]


def unregister(name: str) -> None:
    """Say that a node has stopped in order."""
    WorkerNode.objects.filter(pk=name).delete()


def live() -> QuerySet[WorkerNode]:
    """Select the nodes that were seen within the last ten seconds."""
    return WorkerNode.objects.filter(seen_at__gt=Now() - timedelta(seconds=LIVE_SECONDS))


def drain(*, reason: str = "") -> None:
    """Stop claiming on every node; steps that run go on to their end."""
    DrainMode.objects.get_or_create(pk=1, defaults={"reason": reason})


def undrain() -> None:
    """Claim again."""
    DrainMode.objects.all().delete()


def count_held(name: str) -> int:
    """Count the operations that a node holds."""
    return Operation.objects.unfinished().filter(lease_owner=name).count()


def oldest_due_seconds() -> float:
    """Return for how long the operation that is claimed next has waited; 0 when none may be claimed.

    What its workspace's or account's own limit holds back, and everything during a drain, waits for no worker.
    """
    lease = leases.peek_next()
    if lease is None:
        return 0.0
    times = Operation.objects.filter(pk=lease.operation_id).exclude(due_at=None).values_list("due_at", Now()).first()
    return max(0.0, (times[1] - times[0]).total_seconds()) if times else 0.0
