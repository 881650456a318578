"""Why an operation is not finished yet: one sentence, and a stable code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from apps.operations.models import DrainMode, Operation
from apps.operations.queue import leases
from apps.operations.worker import nodes

# A message that names the end of the wait itself; the next look before it interests nobody.
TIME = re.compile(r"\buntil \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class WaitReason:
    """What an unfinished operation waits for.

    Codes: WORKING, DRAINED, NO_WORKER, UNKNOWN_KIND, LIMIT_REACHED, QUEUED, WAITING. `data` holds the facts behind the
    sentence.
    """

    code: str
    message: str
    data: dict[str, Any]


def wait_reason(operation: Operation) -> WaitReason | None:
    """Say what the operation waits for; None when nothing is left of it to do."""
    if operation.due_at is None:
        return None
    if operation.lease_owner and operation.due_at > timezone.now():
        doing = "Undoing it" if operation.is_undoing else "At work on it"
        return WaitReason("WORKING", f"{doing}: worker {operation.lease_owner}.", {"worker": operation.lease_owner})
    if operation.due_at > timezone.now():
        return waiting(operation, operation.due_at)
    return stopped() or unknown_kind(operation) or reached_limit(operation) or queued(operation)


def waiting(operation: Operation, due_at: datetime) -> WaitReason:
    """Describe a wait that the operation itself has asked for, or a pause before the next attempt."""
    until = due_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    message = operation.status_message or "it looks again later"
    wait = "Waiting" if TIME.search(message) else f"Waiting until {until} at the latest"
    return WaitReason("WAITING", f"{wait}: {message}", {"until": until, "attempts": operation.attempts})


def stopped() -> WaitReason | None:
    """Say when nothing at all is being claimed."""
    if drain := DrainMode.objects.first():
        since = drain.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        reason = f": {drain.reason}" if drain.reason else ""
        return WaitReason(
            "DRAINED",
            f"No work is begun since {since}, by `manage.py drain`{reason}.",
            {"since": since, "reason": drain.reason},
        )
    if not nodes.live().exists():
        return WaitReason("NO_WORKER", "No worker is running; start one with `manage.py worker`.", {})
    return None


def unknown_kind(operation: Operation) -> WaitReason | None:
    """Say when no live worker knows how to do it: those that do are of another version."""
    live = list(nodes.live())
    if any(operation.kind in node.kinds.split() for node in live):
        return None
    versions = sorted({node.version or "unknown" for node in live})
    text = (
        f"No live worker can run operations of kind {operation.kind}: they are of version {', '.join(versions)}. "
        "Start workers of the version that it was submitted with."
    )
    return WaitReason("UNKNOWN_KIND", text, {"kind": operation.kind, "versions": versions})


def reached_limit(operation: Operation) -> WaitReason | None:
    """Name the concurrency limit that holds back an operation which has not begun."""
    if operation.status != Operation.Status.PENDING:
        return None
    if full := leases.reached_limit(operation):
        name, count, max_running = full
        text = f"{name} is at its limit: {count} of {max_running} operations are running."
        return WaitReason("LIMIT_REACHED", text, {"limit": name, "max_running": max_running, "running": count})
    return None


def queued(operation: Operation) -> WaitReason:
    """Say how many due operations are in front of it, as workspaces take turns."""
    ahead = Operation.objects.unfinished().filter(
        workspace=operation.workspace_id, due_at__lte=Now(), due_at__lt=operation.due_at
    )
    count = ahead.count()
    return WaitReason("QUEUED", f"Due; {count} operations of its workspace are in front of it.", {"ahead": count})
