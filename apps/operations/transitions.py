"""Every change of an operation's state: each one conditional statement, its log line and its settlement together.

Losing a transition is not an error: the function returns False (or None) and nothing has changed.
"""

from __future__ import annotations

import logging
import random
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, DateTimeField, F, Q, When
from django.db.models.functions import Coalesce, Now

from apps.operations import endings, events, figures, registry
from apps.operations.claims import in_seconds
from apps.operations.errors import Retry
from apps.operations.models import ENDED, Event, Operation
from apps.operations.steps import Done, Lease, Wait
from apps.system.redaction import redact_text

logger = logging.getLogger(__name__)
Status = Operation.Status


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


def try_again(lease: Lease, operation: Operation, fault: Retry) -> bool:
    """Put the operation back after a transient fault, with a pause that grows and is jittered unless one was named."""
    pause = backoff(operation.tries) if fault.after is None else fault.after
    note = f"Try {operation.tries + 1} failed: {fault.message} Next try in {pause:.0f} s."
    data = {"code": fault.code, "try": operation.tries + 1, "next_try_in_seconds": round(pause, 1), **fault.data}
    changes = {"tries": F("tries") + 1, "note": redact_text(note)[:255]}
    return rest(lease, pause, changes, (Event.Level.WARNING, note, data))


def backoff(tries: int) -> float:
    """Return a pause in seconds: exponential, capped, with full jitter so that a crowd spreads out."""
    base, cap = settings.OPERATIONS["retry_base_seconds"], settings.OPERATIONS["retry_cap_seconds"]
    return random.uniform(0, min(cap, base * 2 ** min(tries, 16)))  # noqa: S311


def rest(lease: Lease, seconds: float, changes: dict[str, Any], event: tuple[str, str, dict] | None) -> bool:
    """Give the lease back and become due in `seconds`."""
    due = Case(When(woken=True, then=Now()), default=in_seconds(seconds))
    changes = {"due_at": due, "lease_owner": "", "crashes": 0, "woken": False, "updated_at": Now(), **changes}
    held = Operation.objects.held_by(lease)
    if event is None:
        return bool(held.update(**changes))
    with transaction.atomic():
        if not held.update(**changes):
            return False
        events.append(lease.operation_id, *event)
    return True


def complete(lease: Lease, operation: Operation, outcome: Done, *, unless_asked: bool = False) -> bool:
    """Record success; with `unless_asked`, not of an operation that was asked to stop."""
    changes = {"status": Status.COMPLETED, "result": outcome.result}
    return end(lease, operation, "Completed.", unless_asked=unless_asked, **changes)


def fail(lease: Lease, operation: Operation, *, code: str, message: str) -> bool:
    """Record a failure that trying again would not mend."""
    text = redact_text(message)
    return end(lease, operation, text, Event.Level.ERROR, status=Status.FAILED, error_code=code, error=text)


def undone(lease: Lease, operation: Operation) -> bool:
    """Record that nothing is left of a cancelled operation."""
    return end(lease, operation, "Undone: nothing is left of it.")


def not_undone(lease: Lease, operation: Operation, *, code: str, message: str) -> bool:
    """Record what is left of a cancelled operation, for a person to deal with."""
    text = redact_text(f"Cancelled, but not everything could be undone: {message}")
    return end(lease, operation, text, Event.Level.ERROR, error_code=code, error=text)


def end(lease: Lease, operation: Operation, line: str, level: str = Event.Level.INFO, **changes: Any) -> bool:
    """Record an outcome, and measure it."""
    ended = _end(lease, operation, line, level, **changes)
    if ended:
        figures.observe_end(operation, changes.get("status", operation.status))
    return ended


def _end(
    lease: Lease, operation: Operation, line: str, level: str, *, unless_asked: bool = False, **changes: Any
) -> bool:
    """Record an outcome, settle the resource and wake whoever waits for it, all or nothing."""
    if connection.vendor == "postgresql" and settles_nothing(operation):
        return endings.record(lease, line, level, changes, unless_asked=unless_asked)
    with transaction.atomic():
        if not endings.record(lease, line, level, changes, unless_asked=unless_asked):
            return False
        settle(operation)
    return True


def settles_nothing(operation: Operation) -> bool:
    """Tell whether an end concerns the operation alone, so that one statement records all of it."""
    kind = registry.kinds().get(operation.kind)
    return operation.parent_id is None and (kind is None or kind.settle is registry.nothing)


def settle(operation: Operation) -> None:
    """Let the kind say what the operation's new state means, then wake the workflow that waits for it."""
    kind = registry.kinds().get(operation.kind)
    if operation.crashes > 2 * settings.OPERATIONS["max_crashes"]:
        logger.error("operation %s could not be settled, time and again; it ends without", operation.pk)
    elif kind is not None and kind.settle is not registry.nothing:
        kind.settle(Operation.objects.select_related("workspace").get(pk=operation.pk))
    if operation.parent_id and not Operation.objects.unfinished().filter(pk=operation.pk).exists():
        wake(operation.parent_id)


def wake(operation_id: Any) -> None:
    """Make a waiting operation due now; one in the middle of a step becomes due when that step ends."""
    _wake(Operation.objects.unfinished().filter(pk=operation_id))


def wake_target(target: str) -> None:
    """Make the operation that holds a target due now, as `wake` does."""
    _wake(Operation.objects.unfinished().filter(target=target))


def _wake(operations: Any) -> None:
    due = Case(When(lease_owner="", then=Now()), default=F("due_at"), output_field=DateTimeField())
    operations.update(woken=True, due_at=due)


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
    kind = registry.kinds().get(operation.kind)
    undo_now = Case(When(status=Status.RUNNING, then=Now()), default=None, output_field=DateTimeField())
    if not queryset.exclude(status__in=ENDED).update(
        status=Status.CANCELLED,
        due_at=undo_now if kind and kind.undo else None,
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
    settle(operation)
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
