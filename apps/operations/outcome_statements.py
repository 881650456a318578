"""Recording the outcome of an operation together with its log line: one statement on PostgreSQL, two on SQLite."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection

from apps.operations import events
from apps.operations.handler_api import Lease
from apps.operations.hidden_input import hidden_in
from apps.operations.models import Operation
from apps.operations.queue.claim_sql import sql
from apps.system.database import prepared_cursor

END = """
    UPDATE operations_operation
    SET {given}due_at = NULL, lease_owner = '', status_message = '', crash_count = 0,
        updated_at = {now}, ended_at = coalesce(ended_at, {now})
    WHERE id = %(id)s AND fence = %(fence)s AND due_at IS NOT NULL AND lease_owner <> ''{unless_cancel_requested}"""
# The log is read as it was before the statement began. Only the holder of the lease can have added to it since: any
# other writer of a line takes the lease away, and then this statement changes nothing.
END_AND_LOG = """
    WITH ended AS ({end} RETURNING id, parent_id){woken}
    INSERT INTO operations_event (operation_id, seq, at, level, message, data)
    SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM operations_event WHERE operation_id = ended.id),
        %(at)s, %(level)s, %(message)s, %(data)s FROM ended"""
WOKEN = """,
    woken AS (
        UPDATE operations_operation AS workflow SET wake_requested = true,
            due_at = CASE workflow.lease_owner WHEN '' THEN {now} ELSE workflow.due_at END
        FROM ended WHERE workflow.id = ended.parent_id AND workflow.due_at IS NOT NULL
    )"""


def record(
    lease: Lease,
    operation: Operation,
    line: str,
    level: str,
    changes: dict[str, Any],
    *,
    unless_cancel_requested: bool,
    wakes: bool,
) -> bool:
    """End the operation with those columns if the lease still holds it, and log the line.

    With `unless_cancel_requested`, nothing is done when a cancel was requested. With `wakes`, on PostgreSQL only, the
    workflow that waits for the operation is woken too. On SQLite, only inside a transaction.
    """
    columns = {field.name: field for field in Operation._meta.concrete_fields}
    values = {name: columns[name].get_db_prep_save(value, connection) for name, value in changes.items()}
    key = Operation._meta.pk.get_db_prep_value(lease.operation_id, connection)
    values |= {"id": key, "fence": lease.fence}
    at_once = connection.vendor == "postgresql"
    if at_once:
        values |= events.columns(hidden_in(operation), level, line, {})
    with prepared_cursor() as cursor:
        cursor.execute(statement(tuple(changes), unless_cancel_requested, wakes, connection.vendor), values)
        ended = cursor.rowcount == 1
    if ended and not at_once:
        events.append(operation, level, line)
    return ended


@cache
def statement(names: tuple[str, ...], unless_cancel_requested: bool, wakes: bool, vendor: str) -> str:
    """Return the statement that sets those columns too."""
    given, now = "".join(f"{name} = %({name})s, " for name in names), sql().now
    unless = " AND cancel_requested_at IS NULL" if unless_cancel_requested else ""
    end = END.format(given=given, now=now, unless_cancel_requested=unless)
    woken = WOKEN.format(now=now) if wakes else ""
    return END_AND_LOG.format(end=end, woken=woken) if vendor == "postgresql" else end
