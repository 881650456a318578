"""The worker's side of waits: waiting holds no worker, and does not count towards the time limit."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from apps.operations.handler_api import Context, Done, Wait

POLL_SECONDS = 3600.0


def wait(context: Context) -> Done | Wait:
    """Wait until a time."""
    until = datetime.fromisoformat(context.params["until"])
    remaining = (until - timezone.now()).total_seconds()
    if remaining <= 0:
        return Done({"until": iso(until)})
    return Wait(min(remaining, POLL_SECONDS), message=f"waiting until {iso(until)}", queued=True)


def iso(moment: datetime) -> str:
    """Return a time as the API shows it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
