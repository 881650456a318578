"""Every change of an operation's state: each one conditional statement, its log line and its settlement together.

Losing a transition is not an error: the function returns False (or None) and nothing has changed.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, When
from django.db.models.functions import Coalesce, Now

from apps.operations import events, registry
from apps.operations.models import ENDED, Event, Operation
from apps.operations.steps import Done, Lease, Wait
from apps.system.redaction import redact_text

Status = Operation.Status


def in_seconds(seconds: float) -> Any:
    """Return the database's clock, moved."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


# ── claiming ──────────────────────────────────────────────────────────────────────────────────────────────────────────
CLAIM = {
    "postgresql": """
        WITH due AS (
            SELECT id FROM operations_operation WHERE due_at <= statement_timestamp()
            ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
        )
        UPDATE operations_operation AS operation
        SET due_at = statement_timestamp() + make_interval(secs => %(lease)s),
            lease_owner = %(owner)s, fence = fence + 1
        FROM due WHERE operation.id = due.id
        RETURNING operation.id, operation.fence""",
    "sqlite": """
        UPDATE operations_operation
        SET due_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %(lease)s || ' seconds'),
            lease_owner = %(owner)s, fence = fence + 1
        WHERE id IN (
            SELECT id FROM operations_operation WHERE due_at <= strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')
            ORDER BY due_at LIMIT %(most)s
        )
        RETURNING id, fence""",
}
LOOK = "SELECT 1 FROM operations_operation WHERE due_at <= strftime('%Y-%m-%d %H:%M:%f', 'now') LIMIT 1"


def claim(*, owner: str, most: int) -> list[Lease]:
    """Take up to `most` due operations, oldest first, in one statement; nobody else gets them while the lease lives."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite" and cursor.execute(LOOK).fetchone() is None:
            return []  # reading never waits for the one writer that SQLite allows
        lease = settings.OPERATIONS["lease_seconds"]
        cursor.execute(CLAIM[connection.vendor], {"most": most, "owner": owner[:128], "lease": lease})
        identifier = Operation._meta.pk.to_python
        return [Lease(identifier(row[0]), row[1]) for row in cursor.fetchall()]


def renew(lease: Lease) -> bool:
    """Move the lease's end; False when it is lost or when the operation is to be cancelled."""
    held = Operation.objects.held_by(lease).filter(Q(cancel_asked_at=None) | Q(status=Status.CANCELLED))
    return bool(held.update(due_at=in_seconds(settings.OPERATIONS["lease_seconds"])))


def begin(lease: Lease) -> Operation | None:
    """Count a start before anything is done, so that a step which kills its worker is counted too."""
    with transaction.atomic():
        operation = Operation.objects.held_by(lease).select_for_update(of=("self",)).first()
        if operation is None:
            return None
        kind = registry.kinds().get(operation.kind)
        starting = operation.status == Status.PENDING
        changes: dict[str, Any] = {"crashes": F("crashes") + 1, "woken": False}
        changes["due_at"] = in_seconds(settings.OPERATIONS["lease_seconds"])
        if starting:
            changes |= {"status": Status.RUNNING, "started_at": Now(), "updated_at": Now()}
        if operation.deadline_at is None and kind is not None:
            changes["deadline_at"] = in_seconds(kind.deadline_seconds)
        Operation.objects.held_by(lease).update(**changes)
        if starting:
            events.append(operation.id, Event.Level.INFO, "Started.")
    operation.refresh_from_db()
    return operation


# ── in a step ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def write(lease: Lease, *, state: dict[str, Any] | None = None, event: tuple[str, str, dict] | None = None) -> bool:
    """Store state or a log line in the middle of a step."""
    changes: dict[str, Any] = {"updated_at": Now()} | ({} if state is None else {"state": state})
    if not Operation.objects.held_by(lease).update(**changes):
        return False
    if event:
        events.append(lease.operation_id, *event)
    return True


# ── after a step ──────────────────────────────────────────────────────────────────────────────────────────────────────
def wait(lease: Lease, operation: Operation, outcome: Wait) -> bool:
    """Put the operation back until its time has come, or at once when something woke it meanwhile."""
    changes: dict[str, Any] = {"tries": 0, "note": redact_text(outcome.note)[:255]}
    if outcome.state is not None:
        changes["state"] = outcome.state
    fresh = outcome.note and outcome.note != operation.note
    return rest(lease, outcome.seconds, changes, (Event.Level.INFO, outcome.note, {}) if fresh else None)


def try_again(lease: Lease, operation: Operation, *, code: str, message: str, after: float | None) -> bool:
    """Put the operation back after a transient fault, with a pause that grows and is jittered unless one was named."""
    pause = backoff(operation.tries) if after is None else after
    note = f"Try {operation.tries + 1} failed: {message} Next try in {pause:.0f} s."
    data = {"code": code, "try": operation.tries + 1, "next_try_in_seconds": round(pause, 1)}
    changes = {"tries": F("tries") + 1, "note": redact_text(note)[:255]}
    return rest(lease, pause, changes, (Event.Level.WARNING, note, data))


def backoff(tries: int) -> float:
    """Return a pause in seconds: exponential, capped, with full jitter so that a crowd spreads out."""
    base, cap = settings.OPERATIONS["retry_base_seconds"], settings.OPERATIONS["retry_cap_seconds"]
    return random.uniform(0, min(cap, base * 2 ** min(tries, 16)))  # noqa: S311


@transaction.atomic
def rest(lease: Lease, seconds: float, changes: dict[str, Any], event: tuple[str, str, dict] | None) -> bool:
    """Give the lease back and become due in `seconds`."""
    due = Case(When(woken=True, then=Now()), default=in_seconds(seconds))
    changes = {"due_at": due, "lease_owner": "", "crashes": 0, "woken": False, "updated_at": Now(), **changes}
    if not Operation.objects.held_by(lease).update(**changes):
        return False
    if event:
        events.append(lease.operation_id, *event)
    return True


def complete(lease: Lease, outcome: Done) -> bool:
    """Record success."""
    return end(lease, "Completed.", status=Status.COMPLETED, result=outcome.result)


def fail(lease: Lease, *, code: str, message: str) -> bool:
    """Record a failure that trying again would not mend."""
    text = redact_text(message)
    return end(lease, text, Event.Level.ERROR, status=Status.FAILED, error_code=code, error=text)


def undone(lease: Lease) -> bool:
    """Record that nothing is left of a cancelled operation."""
    return end(lease, "Undone: nothing is left of it.")


def not_undone(lease: Lease, *, code: str, message: str) -> bool:
    """Record what is left of a cancelled operation, for a person to deal with."""
    text = redact_text(f"Cancelled, but not everything could be undone: {message}")
    return end(lease, text, Event.Level.ERROR, error_code=code, error=text)


@transaction.atomic
def end(lease: Lease, line: str, level: str = Event.Level.INFO, **changes: Any) -> bool:
    """Record an outcome, settle the resource and wake whoever waits for it, all or nothing."""
    changes = {"due_at": None, "lease_owner": "", "note": "", "crashes": 0, "updated_at": Now(), **changes}
    changes["ended_at"] = Coalesce("ended_at", Now())
    if not Operation.objects.held_by(lease).update(**changes):
        return False
    events.append(lease.operation_id, level, line)
    settle(lease.operation_id)
    return True


def settle(operation_id: Any) -> None:
    """Let the kind say what the operation's new state means, then wake the workflow that waits for it."""
    operation = Operation.objects.select_related("workspace").get(pk=operation_id)
    registry.kind_named(operation.kind).settle(operation)
    if operation.parent_id and operation.due_at is None:
        wake(operation.parent_id)


def wake(operation_id: Any) -> None:
    """Make a waiting operation due now; one in the middle of a step becomes due when that step ends."""
    due = Case(When(lease_owner="", then=Now()), default=F("due_at"), output_field=DateTimeField())
    Operation.objects.unfinished().filter(pk=operation_id).update(woken=True, due_at=due)


# ── cancelling ────────────────────────────────────────────────────────────────────────────────────────────────────────
def cancel_idle(operation: Operation) -> bool:
    """Cancel an operation that no worker is at work on; the new fence shuts out one that has only queued it."""
    never_started = Q(status=Status.PENDING)
    between_steps = Q(status=Status.RUNNING, lease_owner="")
    idle = Operation.objects.unfinished().filter(never_started | between_steps, pk=operation.pk)
    return _cancel(idle, operation)


def cancel_held(lease: Lease, operation: Operation) -> bool:
    """Cancel an operation from within its worker, the step being over."""
    return _cancel(Operation.objects.held_by(lease), operation)


@transaction.atomic
def _cancel(queryset: Any, operation: Operation) -> bool:
    kind = registry.kind_named(operation.kind)
    undo_now = Case(When(status=Status.RUNNING, then=Now()), default=None, output_field=DateTimeField())
    if not queryset.exclude(status__in=ENDED).update(
        status=Status.CANCELLED,
        due_at=undo_now if kind.undo else None,
        lease_owner="",
        fence=F("fence") + 1,
        note="",
        crashes=0,
        tries=0,
        deadline_at=None,
        cancel_asked_at=Coalesce("cancel_asked_at", Now()),
        ended_at=Now(),
        updated_at=Now(),
    ):
        return False
    events.append(operation.pk, Event.Level.WARNING, "Cancelled.")
    settle(operation.pk)
    return True


@transaction.atomic
def take_over(operation: Operation, *, reason: str) -> bool:
    """End an operation that no worker is at work on without undoing it: whoever takes over does what is left.

    Used by a forced deletion. Nothing is settled, for the new operation settles the same resource.
    """
    idle = Operation.objects.unfinished().filter(Q(status=Status.PENDING) | Q(lease_owner=""), pk=operation.pk)
    changes = {"due_at": None, "lease_owner": "", "fence": F("fence") + 1, "note": "", "error": reason}
    changes |= {"status": Status.CANCELLED, "ended_at": Coalesce("ended_at", Now()), "updated_at": Now()}
    if not idle.update(**changes):
        return False
    events.append(operation.pk, Event.Level.WARNING, reason)
    if operation.parent_id:
        wake(operation.parent_id)
    return True


def ask_to_stop(operation: Operation) -> bool:
    """Tell the worker that is at work on it to stop."""
    running = Operation.objects.unfinished().filter(pk=operation.pk, status=Status.RUNNING)
    return bool(running.update(cancel_asked_at=Coalesce("cancel_asked_at", Now())))
