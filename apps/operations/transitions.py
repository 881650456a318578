"""Every change of an operation's state: one conditional UPDATE each, with its log line and its effect on the resource.

::

    pending ── set_running ──▶ running ──┬── wait, retries.schedule_retry ──▶ running, due later
                                         ├── complete ──▶ completed
                                         ├── fail ──────▶ failed
                                         └── cancellation.cancel_held, cancel_idle ──▶ cancelled

A transition that is lost to another worker or a cancel is not an error: the function returns False (or None) and
nothing has changed.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, DateTimeField, F, Q, When
from django.db.models.functions import Coalesce

from apps.operations import events, outcome_statements, outcomes, registry
from apps.operations.handler_api import Done, Lease, Wait
from apps.operations.hidden_input import hidden_in, hidden_text
from apps.operations.models import Event, Operation
from apps.operations.observability import activity_log, metrics
from apps.operations.queue.claim_sql import sql
from apps.operations.queue.claim_statements import FIELDS
from apps.operations.queue.leases import in_seconds, lease_seconds
from apps.system.database import fetch_prepared
from apps.system.sql_time import Now

logger = logging.getLogger(__name__)
Status = Operation.Status


# ── before a step ─────────────────────────────────────────────────────────────────────────────────────────────────────
def set_running(lease: Lease) -> Operation | None:
    """Count the start of a step before anything is done, so that a step which kills its worker is counted too.

    Returns the operation, now running, or None when the lease is lost.
    """
    key = Operation._meta.pk.get_db_prep_value(lease.operation_id, connection)
    row = fetch_prepared(sql().set_running, {"id": key, "fence": lease.fence, "lease": lease_seconds()})
    return row and operation_from(row)


def operation_from(row: tuple[Any, ...]) -> Operation:
    """Make an operation of a row of all its columns, as `raw` does, which finds the converters anew each time."""
    values = list(row)
    for place, (functions, expression) in converters(connection.vendor).items():
        for function in functions:
            values[place] = function(values[place], expression, connection)
    return Operation.from_db(connection.alias, [field.attname for field in FIELDS], values)


@cache
def converters(vendor: str) -> dict[int, Any]:
    """Return what makes Python values of the database's, by the columns' places."""
    columns = [field.get_col(Operation._meta.db_table) for field in FIELDS]
    return Operation.objects.all().query.get_compiler(connection=connection).get_converters(columns)


# ── in a step ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic(savepoint=False)
def write(
    lease: Lease,
    operation: Operation,
    *,
    state: dict[str, Any] | None = None,
    event: tuple[str, str, dict] | None = None,
    lines: list[tuple[str, str, dict]] | None = None,
) -> bool:
    """Store state, a log line or several (level, message, data) in the middle of a step."""
    changes: dict[str, Any] = {"updated_at": Now()} | ({} if state is None else {"state": state})
    if not Operation.objects.owned_by(lease).update(**changes):
        return False
    events.append_all(operation, [*([event] if event else []), *(lines or [])])
    return True


# ── after a step ──────────────────────────────────────────────────────────────────────────────────────────────────────
def wait(lease: Lease, operation: Operation, outcome: Wait, *, unless_cancel_requested: bool = False) -> bool:
    """Release the operation until it is due again: in `outcome.seconds`, or at once when it was woken meanwhile.

    With `unless_cancel_requested`, not an operation whose cancel was requested.
    """
    message = hidden_text(operation, outcome.message)
    changes: dict[str, Any] = {"status_message": message[:255]}
    if not outcome.keeps_attempts:
        changes["attempts"] = 0
    if outcome.state is not None:
        changes["state"] = outcome.state
    if outcome.queued:
        changes["deadline_at"] = None  # set anew when the next step begins
    is_new = message and message[:255] != operation.status_message and not outcome.is_in_log
    event: tuple[str, str, dict] | None = (Event.Level.INFO, message, {}) if is_new else None
    return release(lease, operation, outcome.seconds, changes, event, unless_cancel_requested=unless_cancel_requested)


def release(
    lease: Lease,
    operation: Operation,
    seconds: float,
    changes: dict[str, Any],
    event: tuple[str, str, dict] | None,
    *,
    unless_cancel_requested: bool = False,
) -> bool:
    """Release the lease and become due in `seconds`, or at once when it was woken meanwhile."""
    due = Case(When(wake_requested=True, then=Now()), default=in_seconds(seconds))
    changes = {
        "due_at": due,
        "lease_owner": "",
        "crash_count": 0,
        "wake_requested": False,
        "updated_at": Now(),
        **changes,
    }
    held = Operation.objects.owned_by(lease)
    held = held.filter(cancel_requested_at=None) if unless_cancel_requested else held
    if event is None:
        return bool(held.update(**changes))
    with transaction.atomic():
        if not held.update(**changes):
            return False
        events.append(operation, *event)
    return True


def complete(lease: Lease, operation: Operation, outcome: Done, *, unless_cancel_requested: bool = False) -> bool:
    """Record success; with `unless_cancel_requested`, not of an operation whose cancel was requested.

    A result with secrets is stored with those hidden, and whole in the state, for the workflow that goes on with it.
    """
    changes: dict[str, Any] = {"status": Status.COMPLETED, "result": hidden_in(operation).hide(outcome.result)}
    if changes["result"] != outcome.result:
        changes["state"] = operation.state_with_whole(outcome.result)
    return finish(lease, operation, "Completed.", unless_cancel_requested=unless_cancel_requested, **changes)


def fail(lease: Lease, operation: Operation, *, code: str, message: str) -> bool:
    """Record a failure that a further attempt cannot change."""
    text = hidden_text(operation, message)
    return finish(lease, operation, text, Event.Level.ERROR, status=Status.FAILED, error_code=code, error=text)


def finish(
    lease: Lease,
    operation: Operation,
    line: str,
    level: str = Event.Level.INFO,
    *,
    unless_cancel_requested: bool = False,
    **changes: Any,
) -> bool:
    """Record an outcome, apply it to the resource and wake the workflow, all or nothing; then measure it."""
    is_one_statement = connection.vendor == "postgresql" and applies_nothing(operation)
    with nullcontext() if is_one_statement else transaction.atomic():
        ended = outcome_statements.record(
            lease,
            operation,
            line,
            level,
            changes,
            unless_cancel_requested=unless_cancel_requested,
            wakes=is_one_statement and operation.parent_id is not None,
        )
        if ended and not is_one_statement:
            propagate_outcome(operation)
    if ended:
        status = changes.get("status", operation.status)
        metrics.observe_end(operation, status)
        activity_log.log_end(operation, status, changes.get("error", ""), is_rollback=operation.is_undoing)
    return ended


def applies_nothing(operation: Operation) -> bool:
    """Tell whether an end changes no resource row, so that one statement records all of it."""
    kind = registry.kinds().get(operation.kind)
    return kind is None or kind.apply_outcome is registry.apply_nothing


def propagate_outcome(operation: Operation) -> None:
    """Apply the outcome to the resource row, then wake the workflow that waits for the operation.

    An outcome that could not be applied in so many attempts is recorded without, so that the operation can end.
    """
    kind = registry.kinds().get(operation.kind)
    if operation.crash_count > 2 * settings.OPERATIONS["max_crashes"]:
        logger.error(
            "the outcome of operation %s could repeatedly not be applied to its resource; ending it without",
            operation.pk,
        )
    elif kind is not None and kind.apply_outcome is not registry.apply_nothing:
        current = Operation.objects.select_related("workspace").get(pk=operation.pk)
        kind.apply_outcome(current, outcomes.outcome_of(current))
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
    operations.update(wake_requested=True, due_at=due)


@transaction.atomic
def take_over(operation: Operation, *, reason: str) -> bool:
    """End an operation that is in no worker's step without undoing it: the new operation on its target does that.

    Used by a forced deletion. No outcome is applied, because the new operation changes the same resource.
    """
    idle = Operation.objects.unfinished().filter(Q(status=Status.PENDING) | Q(lease_owner=""), pk=operation.pk)
    changes: dict[str, Any] = {
        "due_at": None,
        "lease_owner": "",
        "fence": F("fence") + 1,
        "status_message": "",
        "error": reason,
    }
    changes |= {"status": Status.CANCELLED, "ended_at": Coalesce("ended_at", Now()), "updated_at": Now()}
    if not idle.update(**changes):
        return False
    events.append(operation, Event.Level.WARNING, reason)
    if operation.parent_id:
        wake(operation.parent_id)
    return True
