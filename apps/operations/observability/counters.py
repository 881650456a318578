"""Counts of operations that cost little at any size: unfinished ones by an index, all others counted once a minute."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.operations.models import ENDED, Operation, Tally

FRESH = timedelta(minutes=1)
Counts = Counter[tuple[str, str]]


def by_kind_and_status() -> Counts:
    """Count operations by kind and status; ended ones as they were at the last count, a minute ago at most."""
    counts, _ = last_count()
    ended = Counter({key: count for key, count in counts.items() if key[1] in ENDED})
    return ended + grouped(Operation.objects.unfinished().exclude(status__in=ENDED))


def total() -> int:
    """Count all operations; what was deleted since the last count, a minute ago at most, is still in it."""
    counts, counted_at = last_count()
    return sum(counts.values()) + Operation.objects.filter(created_at__gt=counted_at).count()


def running() -> int:
    """Count the running operations."""
    return Operation.objects.unfinished().filter(status=Operation.Status.RUNNING).count()


def last_count() -> tuple[Counts, datetime]:
    """Return the last count of all operations and its time; one process counts anew when that is a minute ago."""
    tally, now = Tally.objects.filter(pk=1).first(), timezone.now()
    if tally is not None and (tally.begun_at > now - FRESH or not begin(tally, now)):
        return Counter({(kind, status): count for kind, status, count in tally.counts}), tally.counted_at
    counts = grouped(Operation.objects.filter(created_at__lte=now))
    facts = {"begun_at": now, "counted_at": now, "counts": [[*key, count] for key, count in sorted(counts.items())]}
    Tally.objects.update_or_create(pk=1, defaults=facts)
    return counts, now


def begin(tally: Tally, now: datetime) -> bool:
    """Take the next count on; False when another process has."""
    return bool(Tally.objects.filter(pk=1, begun_at=tally.begun_at).update(begun_at=now))


def grouped(operations: QuerySet[Operation]) -> Counts:
    """Count operations by kind and status."""
    rows = operations.order_by().values_list("kind", "status").annotate(count=Count("pk"))
    return Counter({(kind, status): count for kind, status, count in rows})
