"""Writing the log. Every line passes the redactor here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Max

from apps.operations.models import Event
from apps.system.redaction import redact, redact_text


def append(operation_id: UUID, level: str, message: str, data: dict[str, Any] | None = None) -> None:
    """Append the operation's next line.

    Only inside a transaction that has updated the operation's row: that lock is what makes the numbers gapless.
    """
    last = Event.objects.filter(operation=operation_id).aggregate(last=Max("seq"))["last"] or 0
    Event.objects.create(
        operation_id=operation_id, seq=last + 1, level=level, message=redact_text(message), data=redact(data or {})
    )
