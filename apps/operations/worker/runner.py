"""Run one step of one claimed operation and record its outcome."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.operations import cancellation, registry, retries, transitions
from apps.operations.errors import LeaseLost, Postponed, Refused, Retry, UnknownKind
from apps.operations.handler_api import Cancelled, Context, Done, Lease, StepResult, Wait
from apps.operations.models import Operation
from apps.operations.observability import activity_log, metrics
from apps.operations.worker import child_processes
from apps.operations.worker.heartbeat import Interrupted, heartbeat
from apps.system.database import is_conflict, is_unavailable, repeated
from apps.system.errors import DomainError

logger = logging.getLogger(__name__)


BUG = "operation %s (%s) failed by a bug"


def run(operation_id: str, fence: int) -> None:
    """Do one step of an operation that was claimed under this fence, or nothing when the claim is stale."""
    lease, since = Lease(UUID(operation_id), fence), time.monotonic()
    operation = repeated(lambda: transitions.set_running(lease))
    if operation is None:
        return
    if operation.crash_count == 1 and operation.started_at == operation.updated_at:
        metrics.observe_begin(operation)
        activity_log.log_start(operation)
    outcome = reject_before_run(operation) or run_with_heartbeat(operation, lease, since)
    if outcome is None:
        return
    try:
        repeated(lambda: record(operation, lease, outcome))
    except Exception as error:
        if is_unavailable(error) or is_conflict(error):  # the outcome is lost with the database; the step is repeated
            raise
        record(operation, lease, internal_error(operation))


def reject_before_run(operation: Operation) -> StepResult | None:
    """Return the outcome of an operation whose step must not run again, such as one that has killed its workers."""
    if operation.crash_count > settings.OPERATIONS["max_crashes"]:
        return Refused("WORKER_LOST", f"Its worker was lost {operation.crash_count - 1} times in this step; giving up.")
    if operation.cancel_requested_at and not operation.is_undoing:
        return Cancelled()
    if operation.crash_count > 1 and retries.is_late(operation):
        return Refused("TIMED_OUT", "It took too long, and its step had to be killed.")
    return None


def run_with_heartbeat(operation: Operation, lease: Lease, since: float) -> StepResult | None:
    """Run the step under the heartbeat; None when another worker or a cancel has taken the operation over."""
    try:
        with heartbeat.guard(lease, since=since):
            return call_handler(operation, lease)
    except Interrupted as interrupted:
        if heartbeat.watchdog.countdown is not None:  # a worker's own process: whatever it has started, the step has
            child_processes.kill_all()
        if not connection.in_atomic_block:
            connection.close()  # it may have been in the middle of a statement
        if interrupted.reason == "lost":
            return None
        if interrupted.reason == "cancelled":
            return Cancelled()
        return Refused("TIMED_OUT", "It took too long: its step did not end in time.")


def call_handler(operation: Operation, lease: Lease) -> StepResult | None:
    """Run the step; what it raises becomes an outcome."""
    try:
        kind = registry.kind_named(operation.kind)
        step = kind.compensate if operation.is_undoing else kind.run
        if step is None:
            return Refused("NO_COMPENSATION", f"This version cannot undo operations of kind {operation.kind}.")
        return step(Context(operation, lease, transitions.write))
    except (Refused, Retry) as outcome:
        return outcome
    except Postponed as wait:
        return Wait(wait.seconds, message=wait.message, keeps_attempts=True)
    except DomainError as refusal:
        return Refused(refusal.code, refusal.text)
    except LeaseLost:
        return None
    except UnknownKind:
        return unknown_kind(operation)
    except Exception as error:  # noqa: BLE001 - logged, with its traceback, by either
        return database_fault(operation, error) or internal_error(operation)


def unknown_kind(operation: Operation) -> Retry:
    """Return the result of a step that only a worker of another version can do."""
    return Retry("UNKNOWN_KIND", f"This worker cannot run operations of kind {operation.kind}.", after=30)


def database_fault(operation: Operation, error: Exception) -> Retry | None:
    """Return what to tell of a step that the database ended and that may be repeated, None for any other error."""
    if is_conflict(error):
        logger.warning("operation %s met another transaction's locks", operation.id, exc_info=True)
        return Retry("DATABASE_CONFLICT", "The database ended the step's transaction in favor of another.")
    if is_unavailable(error):
        logger.warning("operation %s lost the database in the middle of a step", operation.id, exc_info=True)
        return Retry("DATABASE_AWAY", "The database did not answer in the middle of a step.")
    return None


def internal_error(operation: Operation) -> Refused:
    """Log the bug that is being handled, and return the error that the API shows."""
    logger.exception(BUG, operation.id, operation.kind)
    return Refused("INTERNAL_ERROR", "It failed by a fault in this service; the service's log has the details.")


def record(operation: Operation, lease: Lease, outcome: StepResult) -> bool:
    """Turn what the step returned or raised into the operation's next state."""
    kind = registry.kinds().get(operation.kind)
    can_be_cancelled = kind is not None and not operation.is_undoing
    outcome = retries.enforce_limits(operation, kind, outcome)
    if can_be_cancelled and not isinstance(outcome, Done | Wait) and cancellation.is_cancel_requested(lease):
        outcome = Cancelled()
    match outcome:
        case Cancelled() if kind:
            return cancellation.cancel_held(lease, operation)
        case Cancelled():  # whether there is anything to undo is known to another version only
            return retries.schedule_retry(lease, operation, unknown_kind(operation))
        case Wait() as wait:
            return record_wait(operation, lease, wait, can_be_cancelled=can_be_cancelled)
        case Retry() as retry:
            return retries.schedule_retry(lease, operation, retry)
        case Done() if operation.is_undoing:
            return cancellation.finish_compensation(lease, operation)
        case Done() as done:
            return record_done(operation, lease, done, can_be_undone=kind is not None and kind.compensate is not None)
        case Refused(code=code, message=message) if operation.is_undoing:
            return cancellation.fail_compensation(lease, operation, code=code, message=message)
        case Refused(code=code, message=message):
            return transitions.fail(lease, operation, code=code, message=message)


def record_wait(operation: Operation, lease: Lease, outcome: Wait, *, can_be_cancelled: bool) -> bool:
    """Let the operation wait; one whose cancel was requested meanwhile is cancelled instead."""
    if transitions.wait(lease, operation, outcome, unless_cancel_requested=can_be_cancelled):
        return True
    return can_be_cancelled and cancellation.is_cancel_requested(lease) and cancellation.cancel_held(lease, operation)


def record_done(operation: Operation, lease: Lease, outcome: Done, *, can_be_undone: bool) -> bool:
    """Complete the operation; one whose cancel was requested meanwhile is cancelled instead if it can be undone."""
    if transitions.complete(lease, operation, outcome, unless_cancel_requested=can_be_undone):
        return True
    return can_be_undone and cancellation.is_cancel_requested(lease) and cancellation.cancel_held(lease, operation)
