"""Keeping tables small: what nobody will ask for again is deleted, a batch at a time."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.accounts.models import TokenFamily
from apps.operations import registry
from apps.operations.models import Operation
from apps.system.models import Answer

ANSWERS_KEPT = timedelta(hours=24)


def prune_operations(*, older_than: timedelta, batch: int = 1000) -> int:
    """Delete operations that ended before then, with logs and steps; one with a younger or unfinished part stays.

    Each batch is a transaction of its own. Returns how many operations were deleted.
    """
    before = timezone.now() - older_than
    old = Operation.objects.filter(due_at=None, ended_at__lt=before)
    for keep in registry.keepers:
        old = keep(old)
    roots = old.exclude(children__in=Operation.objects.exclude(due_at=None, ended_at__lt=before)).exclude(
        parent__in=Operation.objects.exclude(due_at=None, ended_at__lt=before)
    )
    total = 0
    while ids := list(roots.values_list("id", flat=True)[:batch]):
        deleted = Operation.objects.filter(pk__in=ids).delete()[1]
        total += deleted.get(Operation._meta.label, 0)
    return total


def daily() -> str:
    """Do what the daily schedule is for; returns what was deleted, for django-q2's record."""
    operations = prune_operations(older_than=timedelta(days=settings.OPERATIONS["keep_days"]))
    answers = Answer.objects.filter(created_at__lt=timezone.now() - ANSWERS_KEPT).delete()[0]
    families = TokenFamily.objects.filter(expires_at__lt=timezone.now()).delete()[0]
    return f"{operations} operations, {answers} answers, {families} token families"
