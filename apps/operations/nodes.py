"""Which workers live, what they hold, and whether due work is taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.operations.models import Drain, Node, Operation

LIVE_SECONDS = 10
OLDEST = {
    "postgresql": "SELECT extract(epoch FROM statement_timestamp() - min(due_at)) FROM operations_operation",
    "sqlite": "SELECT (julianday('now') - julianday(min(due_at))) * 86400 FROM operations_operation",
}


def beat(name: str, *, workers: int) -> None:
    """Say that a node lives."""
    seen = Node.objects.filter(pk=name).update(seen_at=Now(), clock_at=timezone.now(), workers=workers)
    if not seen:
        Node.objects.create(name=name, workers=workers)
        forgotten = timezone.now() - timedelta(days=1)
        Node.objects.filter(seen_at__lt=forgotten).delete()


def leave(name: str) -> None:
    """Say that a node has stopped in order."""
    Node.objects.filter(pk=name).delete()


def live() -> QuerySet[Node]:
    """Select the nodes that were seen within the last ten seconds."""
    return Node.objects.filter(seen_at__gt=Now() - timedelta(seconds=LIVE_SECONDS))


def drain(*, reason: str = "") -> None:
    """Stop claiming on every node; steps that run go on to their end."""
    Drain.objects.get_or_create(pk=1, defaults={"reason": reason})


def undrain() -> None:
    """Claim again."""
    Drain.objects.all().delete()


def held_by(name: str) -> int:
    """Count the operations that a node holds."""
    return Operation.objects.unfinished().filter(lease_owner=name).count()


def oldest_due_seconds() -> float:
    """Return for how long the oldest due operation has waited for a worker; 0 when none waits or all is drained."""
    if Drain.objects.exists():
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute(OLDEST[connection.vendor])
        age: Any = cursor.fetchone()[0]
    return max(0.0, float(age or 0))
