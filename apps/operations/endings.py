"""Recording an outcome and its log line: one statement on PostgreSQL, two in a transaction on SQLite."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection

from apps.operations import events
from apps.operations.claims import NOW
from apps.operations.models import Operation
from apps.operations.steps import Lease

END = """
    UPDATE operations_operation
    SET {given}due_at = NULL, lease_owner = '', note = '', crashes = 0,
        updated_at = {now}, ended_at = coalesce(ended_at, {now})
    WHERE id = %(id)s AND fence = %(fence)s AND due_at IS NOT NULL AND lease_owner <> ''{unless_asked}"""
# The log is read as it was before the statement began. Nobody but the holder of the lease can have added to it since:
# who else writes a line takes the lease away, and this then changes nothing.
END_AND_LOG = """
    WITH ended AS ({end} RETURNING id)
    INSERT INTO operations_event (operation_id, seq, at, level, message, data)
    SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM operations_event WHERE operation_id = ended.id),
        %(at)s, %(level)s, %(message)s, %(data)s FROM ended"""


def record(lease: Lease, line: str, level: str, changes: dict[str, Any], *, unless_asked: bool) -> bool:
    """End the operation with those columns if the lease still holds it, and log the line.

    With `unless_asked`, nothing is done when it was asked to stop. On SQLite, only inside a transaction.
    """
    fields = {name: Operation._meta.get_field(name) for name in changes}
    values = {name: field.get_db_prep_save(changes[name], connection) for name, field in fields.items()}
    key = Operation._meta.pk.get_db_prep_value(lease.operation_id, connection)
    values |= {"id": key, "fence": lease.fence}
    at_once = connection.vendor == "postgresql"
    if at_once:
        values |= events.columns(level, line, {})
    with connection.cursor() as cursor:
        cursor.execute(statement(tuple(changes), unless_asked, connection.vendor), values)
        ended = cursor.rowcount == 1
    if ended and not at_once:
        events.append(lease.operation_id, level, line)
    return ended


@cache
def statement(names: tuple[str, ...], unless_asked: bool, vendor: str) -> str:
    """Return the statement that sets those columns too."""
    given = "".join(f"{name} = %({name})s, " for name in names)
    unless = " AND cancel_asked_at IS NULL" if unless_asked else ""
    end = END.format(given=given, now=NOW[vendor], unless_asked=unless)
    return END_AND_LOG.format(end=end) if vendor == "postgresql" else end
