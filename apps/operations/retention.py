"""Retention: delete old operations, idempotency records and tokens, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import TokenFamily
from apps.operations import registry
from apps.operations.models import Operation
from apps.system import keyset
from apps.system.models import IdempotencyRecord

ANSWERS_KEPT = timedelta(hours=24)


def prune_operations(
    *,
    older_than: timedelta,
    kinds: Iterable[str] = (),
    batch: int = 1000,
    on_batch: Callable[[int], object] = lambda deleted: None,
) -> int:
    """Delete operations that ended before then, with logs and steps; one with a younger or unfinished part stays.

    With `kinds`, only operations of these. Each batch is a transaction of its own; `on_batch` is called with the number
    of its operations. Returns how many were deleted.
    """
    before, total = timezone.now() - older_than, 0
    for chosen in [{"kind": kind} for kind in kinds] or [{}]:
        old = Operation.objects.filter(due_at=None, ended_at__lt=before, created_at__lt=before, **chosen)
        for keys in batches(old, batch):
            deleted = Operation.objects.filter(pk__in=deletable(keys, before)).delete()[1]
            count = deleted.get(Operation._meta.label, 0)
            on_batch(count)
            total += count
    return total


def batches(rows: QuerySet, size: int) -> Iterator[list[UUID]]:
    """Yield the keys of rows in the order of their creation, so many at a time: each goes on where the last one ended.

    What has to be kept is passed once, and no row that is too young is looked at, however many there are.
    """
    rows, names = rows.order_by("created_at", "id"), ["created_at", "id"]
    places = rows.values_list(*names)
    while page := list(places[:size]):
        yield [key for _, key in page]
        places = keyset.beyond(rows, names, page[-1]).values_list(*names)


def deletable(keys: list[UUID], before: datetime) -> list[UUID]:
    """Return those of old operations that no rule keeps, and of which no part and no whole is young or unfinished."""
    parents = dict(Operation.objects.filter(pk__in=keys).order_by().values_list("pk", "parent"))
    kept = Operation.objects.filter(Q(due_at__isnull=False) | Q(ended_at__isnull=True) | Q(ended_at__gte=before))
    with_part = set(kept.filter(parent__in=parents).order_by().values_list("parent", flat=True))
    wholes = set(kept.filter(pk__in=set(filter(None, parents.values()))).order_by().values_list("pk", flat=True))
    whole = [key for key, parent in parents.items() if key not in with_part and parent not in wholes]
    old = Operation.objects.filter(pk__in=whole)
    for select in registry.retention_filters():
        old = select(old)
    return list(old.order_by().values_list("pk", flat=True))


def daily() -> str:
    """Do what the daily schedule is for; returns what was deleted, for django-q2's record."""
    operations = prune_operations(older_than=timedelta(days=settings.OPERATIONS["keep_days"]))
    for kind in registry.kinds().values():
        if kind.keep_days is not None:
            operations += prune_operations(older_than=timedelta(days=kind.keep_days), kinds=[kind.name])
    answers = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - ANSWERS_KEPT).delete()[0]
    families = TokenFamily.objects.filter(expires_at__lt=timezone.now()).delete()[0]
    return f"{operations} operations, {answers} answers, {families} token families"
