"""The worker's side: run one step of one claimed operation and record what came of it."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from apps.operations import claims, figures, offspring, registry, transitions
from apps.operations.errors import LeaseLost, Refused, Retry, UnknownKind
from apps.operations.heart import Interrupted, heart
from apps.operations.models import Operation
from apps.operations.registry import Kind
from apps.operations.steps import Context, Done, Lease, Wait
from apps.system.errors import DomainError

logger = logging.getLogger(__name__)
Outcome = Done | Wait | Refused | Retry
BUG = "operation %s (%s) failed by a bug"


def run(operation_id: str, fence: int) -> None:
    """Do one step of an operation that was claimed under this fence, or nothing when the claim is stale."""
    lease = Lease(UUID(operation_id), fence)
    operation = claims.begin(lease)
    if operation is None:
        return
    if operation.crashes == 1 and not operation.state and not operation.tries:
        figures.observe_begin(operation)
    outcome = forestalled(operation) or guarded(operation, lease)
    if outcome is None:
        return
    try:
        record(operation, lease, outcome)
    except (OperationalError, InterfaceError):  # the outcome is lost with the database; the step is repeated
        raise
    except Exception:
        logger.exception(BUG, operation.id, operation.kind)
        record(operation, lease, fault())


def forestalled(operation: Operation) -> Outcome | None:
    """Return the outcome of an operation that must not be tried again, such as one that has killed its workers."""
    if operation.crashes > settings.OPERATIONS["max_crashes"]:
        return Refused("WORKER_LOST", f"Its worker was lost {operation.crashes - 1} times in this step; giving up.")
    if operation.cancel_asked_at and not operation.is_undoing:
        return Retry("CANCELLED", "It was asked to stop.")
    if operation.crashes > 1 and is_late(operation):
        return Refused("TIMED_OUT", "It took too long, and its step had to be killed.")
    return None


def guarded(operation: Operation, lease: Lease) -> Outcome | None:
    """Run the step under the heartbeat; None when another worker or a cancel has taken the operation over."""
    try:
        with heart.keeps(lease):
            return attempt(operation, lease)
    except Interrupted as interrupted:
        if heart.countdown is not None:  # a worker's own process: whatever it has started, the step has
            offspring.end()
        if not connection.in_atomic_block:
            connection.close()  # it may have been in the middle of a statement
        if interrupted.reason == "lost":
            return None
        if interrupted.reason == "cancelled":
            return Retry("CANCELLED", "It was asked to stop.")
        return Refused("TIMED_OUT", "It took too long: its step did not end in time.")


def attempt(operation: Operation, lease: Lease) -> Outcome | None:
    """Run the step; what it raises becomes an outcome."""
    try:
        kind = registry.kind_named(operation.kind)
        step = kind.undo if operation.is_undoing else kind.run
        return step(Context(operation, lease, transitions.write))
    except (Refused, Retry) as outcome:
        return outcome
    except DomainError as refusal:
        return Refused(refusal.code, refusal.text)
    except LeaseLost:
        return None
    except UnknownKind:
        return Refused("UNKNOWN_KIND", f"This version cannot run operations of kind {operation.kind}.")
    except (OperationalError, InterfaceError):
        logger.warning("operation %s lost the database in the middle of a step", operation.id)
        return Retry("DATABASE_AWAY", "The database did not answer in the middle of a step.")
    except Exception:
        logger.exception(BUG, operation.id, operation.kind)
        return fault()


def fault() -> Refused:
    """Return what the API tells of a bug."""
    return Refused("INTERNAL_ERROR", "It failed by a fault in this service; the service's log has the details.")


def record(operation: Operation, lease: Lease, outcome: Outcome) -> bool:
    """Turn what the step returned or raised into the operation's next state."""
    kind = registry.kinds().get(operation.kind)
    if kind and not operation.is_undoing and isinstance(outcome, Done):
        return record_done(operation, lease, outcome, kind)
    if kind and not operation.is_undoing and wants_cancel(lease):
        return transitions.cancel_held(lease, operation)
    outcome = overdue(operation, kind, outcome)
    if isinstance(outcome, Wait):
        return transitions.wait(lease, operation, outcome)
    if isinstance(outcome, Retry):
        return transitions.try_again(lease, operation, outcome)
    if operation.is_undoing:
        return record_undo(operation, lease, outcome)
    if isinstance(outcome, Done):
        return transitions.complete(lease, operation, outcome)
    return transitions.fail(lease, operation, code=outcome.code, message=outcome.message)


def record_done(operation: Operation, lease: Lease, outcome: Done, kind: Kind) -> bool:
    """Complete the operation; one that was asked to stop meanwhile and can be undone is cancelled instead."""
    if transitions.complete(lease, operation, outcome, unless_asked=kind.undo is not None):
        return True
    return kind.undo is not None and wants_cancel(lease) and transitions.cancel_held(lease, operation)


def record_undo(operation: Operation, lease: Lease, outcome: Done | Refused) -> bool:
    """End a cancelled operation whose undoing has ended."""
    if isinstance(outcome, Done):
        return transitions.undone(lease, operation)
    return transitions.not_undone(lease, operation, code=outcome.code, message=outcome.message)


def overdue(operation: Operation, kind: Kind | None, outcome: Outcome) -> Outcome:
    """Replace a wait or retry by a refusal when the operation's time or tries are used up."""
    if isinstance(outcome, Retry) and kind and operation.tries + 1 >= kind.most_tries:
        return Refused(outcome.code, f"{outcome.message} Given up after {kind.most_tries} tries.")
    if is_late(operation) and isinstance(outcome, Wait | Retry):
        about = outcome.note if isinstance(outcome, Wait) else outcome.message
        return Refused("TIMED_OUT", f"It took too long. Last state: {about or 'none'}")
    return outcome


def is_late(operation: Operation) -> bool:
    """Tell whether the operation's time is used up."""
    return operation.deadline_at is not None and timezone.now() > operation.deadline_at


def wants_cancel(lease: Lease) -> bool:
    """Ask whether a cancel came in while the step ran."""
    return Operation.objects.held_by(lease).exclude(cancel_asked_at=None).exists()
