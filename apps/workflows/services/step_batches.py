"""Starts and ends of many steps, each in one statement for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from apps.operations.models import Operation
from apps.operations.queue.claim_sql import sql
from apps.workflows.models import Step

START = """
    UPDATE workflows_step
    SET status = 'running', attempt = attempt + 1, operation_id = given.column2, input = given.column3,
        started_at = {now}, ended_at = NULL, error = NULL, stopping = false, inverse = NULL,
        rollback = '', rollback_operation_id = NULL, rollback_error = ''
    FROM (VALUES {rows}) AS given
    WHERE workflow_id = %s AND name = given.column1 AND status = %s"""
FIELDS = {field.name: field for field in Step._meta.concrete_fields}
ENDED_COLUMNS = ("status", "result", "error", "inverse", "lasting", "rollback", "rollback_error")
END = """
    UPDATE workflows_step
    SET status = given.column3, result = given.column4, error = given.column5, inverse = given.column6,
        lasting = given.column7, rollback = given.column8, rollback_error = given.column9,
        ended_at = (SELECT operation.ended_at FROM operations_operation AS operation WHERE operation.id = given.column2)
    FROM (VALUES {rows}) AS given
    WHERE workflows_step.id = given.column1 AND operation_id = given.column2 AND status = 'running'
    RETURNING workflows_step.id"""


def start_steps(workflow: UUID, begun: Sequence[tuple[str, Operation, dict[str, Any]]], status: str) -> bool:
    """Note that steps of that status run now: each one's name, operation and input; False when one had another status.

    Then some have been changed and others not: the transaction is to be rolled back.
    """
    key, input = Operation._meta.pk, FIELDS["input"]
    rows = [
        (name, key.get_db_prep_value(operation.pk, connection), input.get_db_prep_save(given, connection))
        for name, operation, given in begun
    ]
    values, parameters = listed(rows)
    with connection.cursor() as cursor:
        owner = key.get_db_prep_value(workflow, connection)
        cursor.execute(START.format(now=sql().now, rows=values), [*parameters, owner, status])
        return cursor.rowcount == len(begun)


def end_steps(steps: Iterable[Step]) -> set[int]:
    """Write how running steps have ended with their operations; returns the keys of those that still ran them."""
    key = Operation._meta.pk
    fields = [FIELDS[name] for name in ENDED_COLUMNS]
    rows = [
        (
            step.pk,
            key.get_db_prep_value(step.operation_id, connection),
            *(field.get_db_prep_save(getattr(step, field.attname), connection) for field in fields),
        )
        for step in steps
    ]
    if not rows:
        return set()
    values, parameters = listed(rows)
    with connection.cursor() as cursor:
        cursor.execute(END.format(rows=values), parameters)
        return {pk for (pk,) in cursor.fetchall()}


def listed(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return rows as the list of VALUES with placeholders, and their parameters."""
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    return ", ".join([row] * len(rows)), [value for given in rows for value in given]
