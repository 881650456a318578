"""Who may work on what, and for how long: claiming, renewing and handing back, each one statement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, Case, DateTimeField, ExpressionWrapper, F, Value, When
from django.db.models.functions import Greatest, Now

from apps.operations.models import Lane, Operation
from apps.operations.steps import Lease

NOW = {"postgresql": "statement_timestamp()", "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"}
IN_LEASE = {
    "postgresql": "statement_timestamp() + make_interval(secs => %(lease)s)",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %(lease)s || ' seconds')",
}
IN_LIMIT = {
    "postgresql": "statement_timestamp() + make_interval(secs => time_limit)",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || time_limit || ' seconds')",
}
TO_NEXT = {
    "postgresql": "SELECT extract(epoch FROM min(due_at) - statement_timestamp()) FROM operations_operation",
    "sqlite": "SELECT (julianday(min(due_at)) - julianday('now')) * 86400 FROM operations_operation",
}
DUE = "SELECT 1 FROM operations_operation WHERE due_at <= {now} LIMIT 1"

# Each workspace offers its oldest due operations; they are taken in turns, so that ten thousand of one workspace do not
# delay the one of another. An operation that has not begun stays where it is while its workspace or lane is full, of
# running operations and of those that somebody has just claimed. An offer is ordered by its workspace too, and in a way
# that PostgreSQL does not see through: only the index on both gives that order, while the one on the time alone would
# lead through all of a crowd's rows to the two of a quiet workspace.
CANDIDATES = """
    WITH lane AS {once} (
        SELECT name, most - (
            SELECT count(*) FROM operations_operation AS other
            LEFT JOIN workspaces_workspace AS place ON place.id = other.workspace_id
            WHERE (other.status = 'running' AND other.due_at IS NOT NULL
                OR other.status = 'pending' AND other.lease_owner <> '' AND other.due_at > {now})
                AND (other.lane = cap.name OR 'workspace:' || place.name = cap.name)
        ) AS free FROM operations_lane AS cap
    ),
    place AS (
        SELECT id, coalesce((SELECT free FROM lane WHERE lane.name = 'workspace:' || space.name), 1000000) AS free
        FROM workspaces_workspace AS space UNION ALL SELECT NULL, 1000000
    ),
    candidate AS (
        SELECT id, due_at, row_number() OVER (PARTITION BY place_id ORDER BY due_at) AS turn
        FROM (
            SELECT due.id, due.due_at, due.status, due.lane, place.id AS place_id, place.free AS place_free,
                row_number() OVER (PARTITION BY place.id, due.status ORDER BY due.due_at) AS place_turn,
                row_number() OVER (PARTITION BY due.lane, due.status ORDER BY due.due_at) AS lane_turn
            FROM place {offers}
        ) AS offered
        WHERE status <> 'pending' OR (
            place_turn <= place_free
            AND lane_turn <= coalesce((SELECT free FROM lane WHERE lane.name = offered.lane), 1000000)
        )
    )"""
OFFER = """
    SELECT id, due_at, status, lane FROM operations_operation AS mine
    WHERE mine.workspace_id {is_place} AND mine.due_at <= {now}
        AND (mine.status <> 'pending'
            OR place.free > 0 AND mine.lane NOT IN (SELECT name FROM lane WHERE lane.free <= 0))
    ORDER BY mine.workspace_id, mine.due_at LIMIT %(most)s"""
OFFERS = {
    "postgresql": f"""CROSS JOIN LATERAL (
        ({OFFER.replace("{is_place}", "BETWEEN place.id AND place.id")}) UNION ALL
        ({OFFER.replace("{is_place}", "IS NULL AND place.id IS NULL")})
    ) AS due""",  # noqa: S608 - constants only
    "sqlite": f"""JOIN operations_operation AS due
        ON due.id IN (SELECT id FROM ({OFFER.replace("{is_place}", "IS place.id")}))""",  # noqa: S608 - constants only
}
CLAIM = {
    "postgresql": """{candidates},
        taken AS (
            SELECT operation.id FROM operations_operation AS operation JOIN candidate ON candidate.id = operation.id
            WHERE operation.due_at <= {now} AND NOT EXISTS (SELECT FROM operations_drain)
            ORDER BY candidate.turn, candidate.due_at LIMIT %(most)s FOR UPDATE OF operation SKIP LOCKED
        )
        UPDATE operations_operation AS operation
        SET due_at = {in_lease}, lease_owner = %(owner)s, fence = fence + 1
        FROM taken WHERE operation.id = taken.id
        RETURNING operation.id, operation.fence""",
    "sqlite": """{candidates}
        UPDATE operations_operation SET due_at = {in_lease}, lease_owner = %(owner)s, fence = fence + 1
        WHERE NOT EXISTS (SELECT 1 FROM operations_drain)
            AND id IN (SELECT id FROM candidate ORDER BY turn, due_at LIMIT %(most)s)
        RETURNING id, fence""",
}
NEXT_UP = """{candidates}
    SELECT operation.id, operation.fence FROM candidate JOIN operations_operation AS operation USING (id)
    WHERE NOT EXISTS (SELECT 1 FROM operations_drain) ORDER BY turn, candidate.due_at LIMIT 1"""
BEGIN = """
    UPDATE operations_operation
    SET due_at = {in_lease}, crashes = crashes + 1, woken = {false},
        status = CASE status WHEN 'pending' THEN 'running' ELSE status END,
        deadline_at = coalesce(deadline_at, {in_limit}),
        started_at = coalesce(started_at, {now}), updated_at = CASE status WHEN 'pending' THEN {now} ELSE updated_at END
    WHERE id = %(id)s AND fence = %(fence)s AND due_at IS NOT NULL AND lease_owner <> ''{unforced}
    RETURNING {columns}"""
# That a step has begun need not be on the disk before it begins: a database that crashes in the next moment has then
# forgotten one start of a step that may be repeated, and neither the claim nor the fence.
CAPS_LOCK = 0x70726F76  # any number that no other program on the database locks
UNFORCED = {
    "postgresql": " AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL",
    "sqlite": "",
}
FIELDS = Operation._meta.concrete_fields


@cache
def statement(text: str, vendor: str) -> str:
    """Fill in what databases say differently."""
    parts = {
        "now": NOW[vendor],
        "in_lease": IN_LEASE[vendor],
        "in_limit": IN_LIMIT[vendor],
        "false": "0" if vendor == "sqlite" else "false",
        "once": "MATERIALIZED",
        "unforced": UNFORCED[vendor],
        "columns": ", ".join(field.column for field in FIELDS),
    }
    if "{candidates}" in text:
        parts["candidates"] = CANDIDATES.replace("{offers}", OFFERS[vendor]).format(**parts)
    return text.format(**parts)


def in_seconds(seconds: float) -> Any:
    """Return the database's clock, moved."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def lease_seconds() -> float:
    """Return how long a claim holds without being renewed."""
    return settings.OPERATIONS["lease_seconds"]


def claim(*, owner: str, most: int) -> list[Lease]:
    """Take up to `most` due operations, the oldest of each workspace in turn; nobody else gets them for the lease."""
    if connection.vendor == "sqlite" and not is_due():
        return []  # reading never waits for the one writer that SQLite allows
    with counted_caps(), connection.cursor() as cursor:
        values = {"most": most, "owner": owner[:128], "lease": lease_seconds()}
        cursor.execute(statement(CLAIM[connection.vendor], connection.vendor), values)
        return [Lease(Operation._meta.pk.to_python(id), fence) for id, fence in cursor.fetchall()]


def is_due() -> bool:
    """Tell whether anything on SQLite is due, claimable or not."""
    with connection.cursor() as cursor:
        return cursor.execute(statement(DUE, "sqlite") % ()).fetchone() is not None


@contextmanager
def counted_caps() -> Iterator[None]:
    """Let one node claim at a time while there are caps, so that no other takes what this one has counted as free.

    SQLite has one writer anyway. That there are caps is asked once a second.
    """
    if connection.vendor == "sqlite" or not has_caps(int(time.monotonic())):
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CAPS_LOCK])
        yield


@lru_cache(maxsize=1)
def has_caps(second: int) -> bool:
    """Tell whether any cap is set; the answer is kept for as long as the second is the same."""
    return Lane.objects.exists()


def next_up() -> Lease | None:
    """Return the operation that is claimed next, with the fence it has now; None when nothing may be claimed."""
    with connection.cursor() as cursor:
        cursor.execute(statement(NEXT_UP, connection.vendor), {"most": 1})
        found = cursor.fetchone()
    return found and Lease(Operation._meta.pk.to_python(found[0]), found[1])


def seconds_to_next() -> float:
    """Return how long it is until something becomes due, for who has just found nothing to claim.

    What is due all the same belongs to a full lane or is being claimed by another node: a twentieth of a second.
    """
    with connection.cursor() as cursor:
        cursor.execute(TO_NEXT[connection.vendor])
        left = cursor.fetchone()[0]
    return 3600.0 if left is None else max(float(left), 0.05)


def begin(lease: Lease) -> Operation | None:
    """Count a start before anything is done, so that a step which kills its worker is counted too.

    Returns the operation, now running, or None when the lease is lost.
    """
    key = Operation._meta.pk.get_db_prep_value(lease.operation_id, connection)
    values = {"id": key, "fence": lease.fence, "lease": lease_seconds()}
    with connection.cursor() as cursor:
        cursor.execute(statement(BEGIN, connection.vendor), values)
        row = cursor.fetchone()
    return row and loaded(row)


def loaded(row: tuple[Any, ...]) -> Operation:
    """Return the operation that a row of all its columns is; `raw` does the same, but finds out each time how."""
    values = list(row)
    for place, (functions, expression) in conversions(connection.vendor).items():
        for function in functions:
            values[place] = function(values[place], expression, connection)
    return Operation.from_db(connection.alias, [field.attname for field in FIELDS], values)


@cache
def conversions(vendor: str) -> dict[int, Any]:
    """Return what makes Python values of the database's, by the columns' places."""
    columns = [field.get_col(Operation._meta.db_table) for field in FIELDS]
    return Operation.objects.all().query.get_compiler(connection=connection).get_converters(columns)


def renew(lease: Lease) -> bool:
    """Move the lease's end; False when it is lost."""
    return bool(Operation.objects.held_by(lease).update(due_at=in_seconds(lease_seconds())))


def order_to_stop(lease: Lease) -> str:
    """Say why the step should stop, if it should: `lost`, `cancelled` or `overdue`."""
    late = Case(When(deadline_at__lt=Now(), then=Value(True)), default=Value(False), output_field=BooleanField())
    found = Operation.objects.held_by(lease).values_list("cancel_asked_at", "status", late).first()
    if found is None:
        return "lost"
    asked_at, status, is_late = found
    if asked_at and status != Operation.Status.CANCELLED:
        return "cancelled"
    return "overdue" if is_late else ""


def hurry(lease: Lease) -> None:
    """Let the operation be claimed anew in a second, for its worker is about to be killed."""
    Operation.objects.held_by(lease).update(due_at=in_seconds(1), lease_owner="")


def give_back(lease: Lease) -> None:
    """Let go of a claim that nothing has come of; who never began keeps the place in the queue."""
    again = Case(When(status=Operation.Status.PENDING, then=F("created_at")), default=Now())
    Operation.objects.held_by(lease).update(due_at=again, lease_owner="", fence=F("fence") + 1)


def hand_back(*, owner: str, innocent: bool) -> int:
    """Make due at once whatever a stopped node still holds; an innocent stop is no crash of what was running."""
    crashes = Greatest(F("crashes") - 1, 0) if innocent else F("crashes")
    held = Operation.objects.unfinished().filter(lease_owner=owner)
    return held.update(due_at=Now(), lease_owner="", fence=F("fence") + 1, crashes=crashes)
