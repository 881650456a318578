"""Cancelling an operation, and recording what its compensation came to.

::

    request                 state of the operation             becomes
    ─────────────────────   ────────────────────────────────   ──────────────────────────────────────────────────────
    cancel_idle             pending                            cancelled, nothing left to do
                            running, between two steps         cancelled; due again if its kind has `compensate`
    request_cancel          running, in a step of a worker     unchanged; the heartbeat interrupts the step, then the
                                                               runner calls `cancel_held`, as `cancel_idle` does it
    finish_compensation     cancelled, `compensate` is done    nothing left to do
    fail_compensation       cancelled, `compensate` refused    nothing left to do; `error` says what remains
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, When
from django.db.models.functions import Coalesce

from apps.operations import events, registry, transitions
from apps.operations.errors import AlreadyEnded
from apps.operations.handler_api import Lease
from apps.operations.hidden_input import hidden_text
from apps.operations.models import ENDED, Event, Operation
from apps.operations.observability import activity_log
from apps.system.database import repeated
from apps.system.sql_time import Now

Status = Operation.Status


def cancel(*, operation: Operation, give_up: float | None = None, requested: bool = False) -> Operation:
    """Cancel an operation and return it as it is afterwards.

    An operation that is in no worker's step is cancelled at once. Otherwise its worker is asked to stop, and has until
    `give_up` (of time.monotonic(), by default `cancel_wait_seconds` from now) before this returns. `requested`: the
    caller has called `request_cancel` for it. Raises AlreadyEnded.
    """
    give_up = cancel_deadline() if give_up is None else give_up
    while not repeated(lambda: cancel_idle(operation)):
        requested = request_cancel(operation) or requested
        operation.refresh_from_db()
        if operation.has_ended and not requested:
            raise AlreadyEnded(operation=operation.pk, status=operation.status)
        if operation.has_ended or time.monotonic() > give_up:
            return operation
        time.sleep(0.05)
    operation.refresh_from_db()
    return operation


def cancel_deadline() -> float:
    """Return until when, of time.monotonic(), a cancel that begins now waits for workers to stop."""
    return time.monotonic() + settings.OPERATIONS["cancel_wait_seconds"]


def request_cancel_of_all(operations: Iterable[Operation]) -> set[UUID]:
    """Ask the workers of these operations to stop, before waiting for any of them; returns which were asked."""
    return {operation.pk for operation in operations if request_cancel(operation)}


def request_cancel(operation: Operation) -> bool:
    """Ask the worker that runs a step of it to stop; False when it is not running."""
    running = Operation.objects.unfinished().filter(pk=operation.pk, status=Status.RUNNING)
    return bool(running.update(cancel_requested_at=Coalesce("cancel_requested_at", Now())))


def is_cancel_requested(lease: Lease) -> bool:
    """Ask whether a cancel was requested while the step ran."""
    return Operation.objects.owned_by(lease).exclude(cancel_requested_at=None).exists()


def cancel_idle(operation: Operation) -> bool:
    """Cancel an operation that is in no worker's step; a worker that has it only in its queue loses the lease."""
    never_started = Q(status=Status.PENDING)
    between_steps = Q(status=Status.RUNNING, lease_owner="")
    idle = Operation.objects.unfinished().filter(never_started | between_steps, pk=operation.pk)
    return _cancel(idle, operation)


def cancel_held(lease: Lease, operation: Operation) -> bool:
    """Cancel an operation from within its worker, after its step."""
    return _cancel(Operation.objects.owned_by(lease), operation)


@transaction.atomic
def _cancel(queryset: Any, operation: Operation) -> bool:
    kind = registry.kinds().get(operation.kind)
    compensate_now = Case(When(status=Status.RUNNING, then=Now()), default=None, output_field=DateTimeField())
    if not queryset.exclude(status__in=ENDED).update(
        status=Status.CANCELLED,
        due_at=compensate_now if kind and kind.compensate else None,
        lease_owner="",
        fence=F("fence") + 1,
        status_message="",
        crash_count=0,
        attempts=0,
        deadline_at=None,
        cancel_requested_at=Coalesce("cancel_requested_at", Now()),
        ended_at=Now(),
        updated_at=Now(),
    ):
        return False
    events.append(operation, Event.Level.WARNING, "Cancelled.")
    transitions.propagate_outcome(operation)
    transaction.on_commit(lambda: activity_log.log_end(operation, Status.CANCELLED))
    return True


def finish_compensation(lease: Lease, operation: Operation) -> bool:
    """Record that nothing is left of a cancelled operation."""
    return transitions.finish(lease, operation, "Undone: nothing is left of it.")


def fail_compensation(lease: Lease, operation: Operation, *, code: str, message: str) -> bool:
    """Record what is left of a cancelled operation, for a person to deal with."""
    text = hidden_text(operation, f"Cancelled, but not everything could be undone: {message}")
    return transitions.finish(lease, operation, text, Event.Level.ERROR, error_code=code, error=text)
