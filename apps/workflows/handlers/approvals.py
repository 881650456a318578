"""The worker's side of approvals: waiting holds no worker, and does not count towards the time limit."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from apps.operations.errors import Refused
from apps.operations.handler_api import Context, Done, Wait
from apps.workflows.handlers.waits import POLL_SECONDS, iso
from apps.workflows.progress import Decision, progress_of


def await_approval(context: Context) -> Done | Wait:
    """Wait for a person's decision, or for the time at which it expires. Raises Refused."""
    params = context.params
    if decision := progress_of(context.operation).get("decision"):
        if decision["approved"]:
            return Done({**decision})
        reason = f": {decision['comment']}" if decision["comment"] else "."
        raise Refused("REJECTED", f"{decision['by']} rejected it{reason}")
    expires_at = expiry_of(context)
    now = timezone.now()
    if expires_at and now >= expires_at:
        if params["then"] == "approve":
            return Done({**Decision(approved=True, by=None, comment="Nobody decided in time.", at=iso(now))})
        raise Refused("APPROVAL_EXPIRED", f"Nobody approved it within {seconds_text(params['timeout'])}.")
    until = f", until {iso(expires_at)}" if expires_at else ""
    note = f"waiting for an approval by somebody with {params['permission']}{until}: {params['message']}"
    seconds = (expires_at - now).total_seconds() if expires_at else POLL_SECONDS
    return Wait(min(seconds, POLL_SECONDS), message=note, queued=True)


def seconds_text(seconds: float) -> str:
    """Return `1 second`, or `2 seconds`."""
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def expiry_of(context: Context) -> datetime | None:
    """Return when the approval expires; counted from its first step."""
    if context.params["timeout"] is None or context.operation.started_at is None:
        return None
    return context.operation.started_at + timedelta(seconds=context.params["timeout"])
