"""Writing the log. Every line passes the redactor here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.operations.models import Event
from apps.system.redaction import redact, redact_text

APPEND = """
    INSERT INTO operations_event (operation_id, seq, at, level, message, data)
    SELECT %(operation)s, coalesce(max(seq), 0) + 1, %(at)s, %(level)s, %(message)s, %(data)s
    FROM operations_event WHERE operation_id = %(operation)s"""


def append(operation_id: UUID, level: str, message: str, data: dict[str, Any] | None = None) -> None:
    """Append the operation's next line.

    Only inside a transaction that has updated the operation's row: that lock is what makes the numbers gapless.
    """
    key = Event._meta.get_field("operation").get_db_prep_value(operation_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(APPEND, {"operation": key, **columns(level, message, data or {})})


def columns(level: str, message: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a line says as the database takes it, secrets hidden."""
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    text = Event._meta.get_field("data").get_prep_value(redact(data))
    return {"at": at, "level": str(level), "message": redact_text(message), "data": text}
