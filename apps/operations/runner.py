"""The worker's side: run one step of one claimed operation and record what came of it."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.operations import registry, transitions
from apps.operations.errors import LeaseLost, Refused, Retry, UnknownKind
from apps.operations.heart import heart
from apps.operations.models import Operation
from apps.operations.registry import Kind
from apps.operations.steps import Context, Done, Lease, Wait
from apps.system.errors import DomainError

logger = logging.getLogger(__name__)
Outcome = Done | Wait | Refused | Retry


def run(operation_id: str, fence: int) -> None:
    """Do one step of an operation that was claimed under this fence, or nothing when the claim is stale."""
    lease = Lease(UUID(operation_id), fence)
    operation = transitions.begin(lease)
    if operation is None:
        return
    with heart.keeps(lease):
        outcome = attempt(operation, lease)
    if outcome is not None:
        record(operation, lease, outcome)


def attempt(operation: Operation, lease: Lease) -> Outcome | None:
    """Run the step; None when another worker or a cancel has taken the operation over."""
    try:
        kind = registry.kind_named(operation.kind)
        if operation.crashes > settings.OPERATIONS["max_crashes"]:
            return Refused("WORKER_LOST", f"The worker was lost {operation.crashes - 1} times in this step; giving up.")
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
    except Exception:
        logger.exception("operation %s (%s) failed by a bug", operation.id, operation.kind)
        return Refused("INTERNAL_ERROR", "It failed by a fault in this service; the service's log has the details.")


def record(operation: Operation, lease: Lease, outcome: Outcome) -> bool:
    """Turn what the step returned or raised into the operation's next state."""
    kind = registry.kinds().get(operation.kind)
    if operation.is_undoing:
        return record_undo(operation, lease, overdue(operation, kind, outcome))
    if kind and wants_cancel(operation) and (kind.undo or not isinstance(outcome, Done)):
        return transitions.cancel_held(lease, operation)
    outcome = overdue(operation, kind, outcome)
    if isinstance(outcome, Done):
        return transitions.complete(lease, outcome)
    if isinstance(outcome, Wait):
        return transitions.wait(lease, operation, outcome)
    if isinstance(outcome, Retry):
        return retry(operation, lease, outcome)
    return transitions.fail(lease, code=outcome.code, message=outcome.message)


def record_undo(operation: Operation, lease: Lease, outcome: Outcome) -> bool:
    """Turn what an undo step returned or raised into the cancelled operation's next state."""
    if isinstance(outcome, Done):
        return transitions.undone(lease)
    if isinstance(outcome, Wait):
        return transitions.wait(lease, operation, outcome)
    if isinstance(outcome, Retry):
        return retry(operation, lease, outcome)
    return transitions.not_undone(lease, code=outcome.code, message=outcome.message)


def retry(operation: Operation, lease: Lease, fault: Retry) -> bool:
    """Try the step again later."""
    return transitions.try_again(lease, operation, code=fault.code, message=fault.message, after=fault.after)


def overdue(operation: Operation, kind: Kind | None, outcome: Outcome) -> Outcome:
    """Replace a wait or retry by a refusal when the operation's time or tries are used up."""
    if isinstance(outcome, Retry) and kind and operation.tries + 1 >= kind.most_tries:
        return Refused(outcome.code, f"{outcome.message} Given up after {kind.most_tries} tries.")
    late = operation.deadline_at is not None and timezone.now() > operation.deadline_at
    if late and isinstance(outcome, Wait | Retry):
        about = outcome.note if isinstance(outcome, Wait) else outcome.message
        return Refused("TIMED_OUT", f"It took too long. Last state: {about or 'none'}")
    return outcome


def wants_cancel(operation: Operation) -> bool:
    """Ask whether a cancel came in while the step ran."""
    return Operation.objects.filter(pk=operation.pk).exclude(cancel_asked_at=None).exists()
