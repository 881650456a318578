"""Retries: the pause after a failed attempt, and when an operation's attempts or time are used up."""

from __future__ import annotations

import random

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from apps.operations import transitions
from apps.operations.errors import Refused, Retry
from apps.operations.handler_api import Lease, StepResult, Wait
from apps.operations.hidden_input import hidden_text
from apps.operations.models import Event, Operation
from apps.operations.registry import OperationKind


def schedule_retry(lease: Lease, operation: Operation, fault: Retry) -> bool:
    """Make the operation due again after a transient fault, in `fault.after` seconds or, by default, `backoff`."""
    pause = backoff(operation.attempts) if fault.after is None else fault.after
    text = f"Attempt {operation.attempts + 1} failed: {fault.message} Next attempt in {pause:.0f} s."
    data = {"code": fault.code, "attempt": operation.attempts + 1, "next_attempt_in_seconds": round(pause, 1)}
    changes = {"attempts": F("attempts") + 1, "status_message": hidden_text(operation, text)[:255]}
    return transitions.release(lease, operation, pause, changes, (Event.Level.WARNING, text, data | fault.data))


def backoff(attempts: int) -> float:
    """Return a pause in seconds: exponential with a cap and full jitter, so that many operations spread out."""
    base, cap = settings.OPERATIONS["retry_base_seconds"], settings.OPERATIONS["retry_cap_seconds"]
    return random.uniform(0, min(cap, base * 2 ** min(attempts, 16)))  # noqa: S311


def enforce_limits(operation: Operation, kind: OperationKind | None, outcome: StepResult) -> StepResult:
    """Replace a wait or retry by a refusal when the operation's time or attempts are used up."""
    if isinstance(outcome, Retry) and kind and operation.attempts + 1 >= kind.max_attempts:
        return Refused(outcome.code, f"{outcome.message} Given up after {kind.max_attempts} attempts.")
    if isinstance(outcome, Wait) and outcome.queued:
        return outcome
    if is_late(operation) and isinstance(outcome, Wait | Retry):
        return Refused("TIMED_OUT", f"It took too long. Last state: {outcome.message or 'none'}")
    return outcome


def is_late(operation: Operation) -> bool:
    """Tell whether the operation's time is used up."""
    return operation.deadline_at is not None and timezone.now() > operation.deadline_at
