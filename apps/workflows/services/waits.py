"""Waits: steps of a workflow that wait for some seconds, or until a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.system.errors import Invalid
from apps.workflows.definition import WAIT
from apps.workspaces.services import workspace_named

MAX_SECONDS = 366 * 86400


def wait_input(given: dict[str, Any]) -> dict[str, Any]:
    """Check the input of a wait: a number of seconds, or a time. Raises Invalid."""
    if set(given) == {"for"}:
        seconds = given["for"]
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= MAX_SECONDS:
            raise Invalid("wait: for: give seconds, from 0 to {most}.", most=MAX_SECONDS)
        return {"seconds": seconds}
    if set(given) == {"until"}:
        return {"until": time_of(given["until"]).isoformat()}
    if set(given) == {"seconds"}:  # checked before
        return given
    raise Invalid("wait: give either `for` or `until`.")


def describe_wait(*, workspace: str, seconds: float = 0, until: str = "") -> str:
    """Say what a wait does."""
    return f"Wait until {until}." if until else f"Wait for {seconds:g} {'second' if seconds == 1 else 'seconds'}."


def time_of(text: Any) -> datetime:
    """Return a time in ISO 8601; without an offset it is UTC. Raises Invalid."""
    try:
        moment = parse_datetime(str(text))
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid("wait: until: give a time such as 2026-12-31T22:00:00Z.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def submit_wait(*, workspace: str, actor: User | None, parent: Operation | None = None, **given: Any) -> Operation:
    """Queue a wait."""
    place = workspace_named(workspace)
    if "seconds" in given:
        given = {"until": (timezone.now() + timedelta(seconds=given["seconds"])).isoformat()}
    return operations.submit(kind=WAIT, workspace=place, actor=actor, params=given, parent=parent)
