"""Why an operation is not finished yet: one sentence, and a stable code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from apps.operations import nodes
from apps.operations.models import Drain, Lane, Operation


@dataclass(frozen=True)
class Reason:
    """What an unfinished operation waits for.

    Codes: WORKING, DRAINED, NO_WORKER, LANE_FULL, QUEUED, WAITING. `data` holds the facts behind the sentence.
    """

    code: str
    message: str
    data: dict[str, Any]


def reason_for(operation: Operation) -> Reason | None:
    """Say what the operation waits for; None when nothing is left of it to do."""
    if operation.due_at is None:
        return None
    if operation.lease_owner and operation.due_at > timezone.now():
        doing = "Undoing it" if operation.is_undoing else "At work on it"
        return Reason("WORKING", f"{doing}: worker {operation.lease_owner}.", {"worker": operation.lease_owner})
    if operation.due_at > timezone.now():
        return waiting(operation)
    return stopped() or full_lane(operation) or queued(operation)


def waiting(operation: Operation) -> Reason:
    """Describe a wait that the operation itself has asked for, or a pause before the next try."""
    until = operation.due_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    note = operation.note or "it looks again later"
    return Reason("WAITING", f"Waiting until {until} at the latest: {note}", {"until": until, "tries": operation.tries})


def stopped() -> Reason | None:
    """Say when nothing at all is being claimed."""
    if drain := Drain.objects.first():
        since = drain.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        told = f": {drain.reason}" if drain.reason else ""
        return Reason("DRAINED", f"No work is begun since {since}, by `manage.py drain`{told}.", {"since": since})
    if not nodes.live().exists():
        return Reason("NO_WORKER", "No worker is running; start one with `manage.py worker`.", {})
    return None


def full_lane(operation: Operation) -> Reason | None:
    """Name the full lane or workspace that an operation which has not begun waits for."""
    if operation.status != Operation.Status.PENDING:
        return None
    place = f"workspace:{operation.workspace.name}" if operation.workspace else ""
    for lane in Lane.objects.filter(name__in=[name for name in (operation.lane, place) if name]):
        running = Operation.objects.unfinished().filter(status=Operation.Status.RUNNING)
        mine = running.filter(workspace=operation.workspace) if lane.name == place else running.filter(lane=lane.name)
        if (count := mine.count()) >= lane.most:
            text = f"{lane.name} is at its limit: {count} of {lane.most} operations are running."
            return Reason("LANE_FULL", text, {"lane": lane.name, "most": lane.most, "running": count})
    return None


def queued(operation: Operation) -> Reason:
    """Say how many due operations are in front of it, as workspaces take turns."""
    ahead = Operation.objects.unfinished().filter(
        workspace=operation.workspace_id, due_at__lte=Now(), due_at__lt=operation.due_at
    )
    count = ahead.count()
    return Reason("QUEUED", f"Due; {count} operations of its workspace are in front of it.", {"ahead": count})
