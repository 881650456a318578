"""Lines that people's interventions leave in a workflow's log."""

from __future__ import annotations

from typing import Any

from apps.operations import events
from apps.operations.models import Event, Operation
from apps.system.sql_time import Now


def append_line(workflow: Any, text: str, level: Event.Level = Event.Level.INFO) -> None:
    """Append a line to a workflow's log, in a transaction; its row is locked first, for the order of lines."""
    Operation.objects.filter(pk=workflow).update(updated_at=Now())
    events.append(Operation.objects.get(pk=workflow), level, text)
