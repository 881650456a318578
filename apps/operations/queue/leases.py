"""Leases: claim, renew and release due operations, each in one statement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from itertools import cycle
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, Case, DateTimeField, ExpressionWrapper, F, Value, When
from django.db.models.functions import Greatest, Now

from apps.operations import registry
from apps.operations.handler_api import Lease
from apps.operations.models import ConcurrencyLimit, Operation
from apps.operations.queue.claim_sql import sql
from apps.operations.queue.claim_sqlite import IS_DUE
from apps.system.database import prepared_cursor

LIMITS_LOCK_ID = 0x70726F76  # any number that no other program on the database locks
running_last = cycle((False, True))  # takes turns even where one operation is claimed at a time


def in_seconds(seconds: float) -> Any:
    """Return the database's time plus `seconds`, as an expression."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def lease_seconds() -> float:
    """Return how long a claim holds without being renewed."""
    return settings.OPERATIONS["lease_seconds"]


def known_kinds() -> str:
    """Return the names of the registered kinds, separated by blanks."""
    return " ".join(registry.kinds())


def claim(*, owner: str, max_count: int) -> list[Lease]:
    """Lease up to `max_count` due operations to a worker, the oldest of each workspace in turn.

    Those that were claimed before come last: a workflow then finds that more of its steps have ended.
    """
    if connection.vendor == "sqlite" and not is_due():
        return []  # reading never waits for the one writer that SQLite allows
    with limits_lock(), prepared_cursor() as cursor:
        values: dict[str, Any] = {
            "max_count": max_count,
            "running_last": next(running_last),
            "owner": owner[:128],
            "lease": lease_seconds(),
        }
        values["kinds"] = known_kinds()
        cursor.execute(sql().claim, values)
        taken = [Lease(Operation._meta.pk.to_python(id), fence) for id, fence in cursor.fetchall()]
    return sorted(taken, key=lambda lease: lease.fence > 1)


def is_due() -> bool:
    """Tell whether anything on SQLite is due, claimable or not."""
    with connection.cursor() as cursor:
        return cursor.execute(IS_DUE, ()).fetchone() is not None


@contextmanager
def limits_lock() -> Iterator[None]:
    """Let one node claim at a time while there are concurrency limits, so that two do not fill the same free place.

    SQLite has one writer anyway. Whether there are limits is read once a second.
    """
    if connection.vendor == "sqlite" or not has_limits(int(time.monotonic())):
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LIMITS_LOCK_ID])
        yield


@lru_cache(maxsize=1)
def has_limits(second: int) -> bool:
    """Tell whether any concurrency limit is set; the answer is kept for as long as the second is the same."""
    return ConcurrencyLimit.objects.exists()


def reached_limit(operation: Operation) -> tuple[str, int, int] | None:
    """Return the limit that holds an operation back which has not begun, as `claim` counts: its name, used, allowed."""
    of_workspace = f"workspace:{operation.workspace.name}" if operation.workspace else ""
    with connection.cursor() as cursor:
        cursor.execute(sql().reached_limit, {"limit_key": operation.limit_key, "workspace": of_workspace})
        found = cursor.fetchone()
    return (found[0], found[2] - found[1], found[2]) if found and found[1] <= 0 else None


def peek_next() -> Lease | None:
    """Return the operation that is claimed next, with the fence it has now; None when nothing may be claimed."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"max_count": 1, "running_last": False, "kinds": known_kinds()}
        cursor.execute(sql().peek_next, values)
        found = cursor.fetchone()
    return found and Lease(Operation._meta.pk.to_python(found[0]), found[1])


def seconds_to_next() -> float:
    """Return in how many seconds the next operation is due; negative when it is overdue, an hour when there is none."""
    with prepared_cursor() as cursor:
        cursor.execute(sql().seconds_to_next)
        left = cursor.fetchone()[0]
    return 3600.0 if left is None else float(left)


def renew(lease: Lease) -> bool:
    """Move the lease's end; False when it is lost."""
    return bool(Operation.objects.owned_by(lease).update(due_at=in_seconds(lease_seconds())))


def stop_reason(lease: Lease) -> str:
    """Say why the step should stop, if it should: `lost`, `cancelled` or `overdue`."""
    late = Case(When(deadline_at__lt=Now(), then=Value(True)), default=Value(False), output_field=BooleanField())
    found = Operation.objects.owned_by(lease).values_list("cancel_requested_at", "status", late).first()
    if found is None:
        return "lost"
    asked_at, status, is_late = found
    if asked_at and status != Operation.Status.CANCELLED:
        return "cancelled"
    return "overdue" if is_late else ""


def release_soon(lease: Lease) -> None:
    """Let the operation be claimed again in a second: its worker is about to be killed."""
    Operation.objects.owned_by(lease).update(due_at=in_seconds(1), lease_owner="")


def release_unstarted(lease: Lease) -> None:
    """Release a claim whose step was not begun; a pending operation keeps its place in the queue."""
    again = Case(When(status=Operation.Status.PENDING, then=F("created_at")), default=Now())
    Operation.objects.owned_by(lease).update(due_at=again, lease_owner="", fence=F("fence") + 1)


def release_all(*, owner: str, count_as_crash: bool) -> int:
    """Release all leases of a stopped node; `count_as_crash` says that it may have crashed in the steps it ran."""
    crash_count = F("crash_count") if count_as_crash else Greatest(F("crash_count") - 1, 0)
    held = Operation.objects.unfinished().filter(lease_owner=owner)
    return held.update(due_at=Now(), lease_owner="", fence=F("fence") + 1, crash_count=crash_count)
