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
    SELECT %s, coalesce(max(seq), 0) + 1, %s, %s, %s, %s FROM operations_event WHERE operation_id = %s"""


def append(operation_id: UUID, level: str, message: str, data: dict[str, Any] | None = None) -> None:
    """Append the operation's next line.

    Only inside a transaction that has updated the operation's row: that lock is what makes the numbers gapless.
    """
    key = Event._meta.get_field("operation").get_db_prep_value(operation_id, connection)
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    text = Event._meta.get_field("data").get_prep_value(redact(data or {}))
    with connection.cursor() as cursor:
        cursor.execute(APPEND, [key, at, str(level), redact_text(message), text, key])
