"""Writing the log. Every line has the secrets of its operation hidden and passes the redactor here."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from apps.operations.hidden_input import hidden_in
from apps.operations.models import Event, Operation
from apps.system.hidden_values import HiddenValues
from apps.system.redaction import redact, redact_text

APPEND = """
    INSERT INTO operations_event (operation_id, seq, at, level, message, data)
    SELECT %s, last.seq + line.column1, line.column2, line.column3, line.column4, line.column5
    FROM (VALUES {lines}) AS line, (
        SELECT coalesce(max(seq), 0) AS seq FROM operations_event WHERE operation_id = %s
    ) AS last"""


def append(operation: Operation, level: str, message: str, data: dict[str, Any] | None = None) -> None:
    """Append the operation's next line, as `append_all` does."""
    append_all(operation, [(level, message, data or {})])


def append_all(operation: Operation, lines: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Append the operation's next lines (level, message, data).

    Only inside a transaction that has updated the operation's row: that lock is what makes the numbers gapless.
    """
    if not lines:
        return
    key, hidden = Event._meta.get_field("operation").get_db_prep_value(operation.pk, connection), hidden_in(operation)
    values = [value for place, line in enumerate(lines, 1) for value in (place, *columns(hidden, *line).values())]
    with connection.cursor() as cursor:
        cursor.execute(APPEND.format(lines=", ".join(["(%s, %s, %s, %s, %s)"] * len(lines))), [key, *values, key])


def columns(hidden: HiddenValues, level: str, message: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a line says as the database takes it, secrets hidden, in the order of the table's columns."""
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    text = Event._meta.get_field("data").get_prep_value(redact(hidden.hide(data)))
    return {"at": at, "level": str(level), "message": redact_text(hidden.hide_text(message)), "data": text}
