"""What a claim costs when the table is full of waiting, due and finished operations, against a nearly empty table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.stage import database

TIMES = 200
BATCH = 2
WAITING, DUE, FINISHED = 200_000, 200_000, 1_000_000
PLACES = 10
COLUMNS = {
    "id": "{uuid}",
    "kind": "'server.create'",
    "workspace_id": "CASE number % 2 WHEN 0 THEN 1 ELSE 2 + number / 2 % ({places} - 1) END",  # half in one
    "target": "''",
    "limit_key": "'account:' || number % 7",
    "check_mode": "{false}",
    "params": "'{{}}'",
    "status": "'{status}'",
    "error_code": "''",
    "due_at": "{due}",
    "lease_owner": "''",
    "fence": "0",
    "state": "'{{}}'",
    "status_message": "''",
    "wake_requested": "{false}",
    "crash_count": "0",
    "attempts": "0",
    "time_limit": "1800",
    "created_at": "{now}",
    "updated_at": "{now}",
}
SAYS = {
    "postgresql": {
        "uuid": "gen_random_uuid()",
        "false": "false",
        "now": "now()",
        "moved": "now() + make_interval(secs => {seconds} + number % 3600)",
        "numbers": "SELECT generate_series(1, {count}) AS number",
    },
    "sqlite": {
        "uuid": "lower(hex(randomblob(16)))",
        "false": "0",
        "now": "datetime('now')",
        "moved": "strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds} + number % 3600) || ' seconds')",
        "numbers": "WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {count}) "
        "SELECT number FROM n",
    },
}


def main() -> None:
    """Run on the configured database."""
    with database() as vendor:
        report(vendor)
        plan(vendor)


def report(vendor: str) -> None:
    """Print what a claim costs in each state, and the ratio to the first."""
    print(f"\nleases.claim(max_count={BATCH}), {vendor}, {PLACES} workspaces, median of {TIMES}")
    base = 0.0
    for title in states(vendor):
        times = [one_claim() for _ in range(TIMES + 20)][20:]
        middle = statistics.median(times) * 1000
        base = base or middle
        spread = f"({min(times) * 1000:.2f}–{max(times) * 1000:.2f})"
        print(f"  {title:<52} {middle:>7.2f} ms  {spread:<15} {middle / base:>5.2f} ×")


def states(vendor: str) -> Iterator[str]:
    """Fill the table further and further; gives what it holds."""
    from apps.workspaces.models import Workspace

    for number in range(PLACES):
        Workspace.objects.create(id=1 + number, name=f"place-{number}", path=f"/opt/place-{number}")
    insert(vendor, 100, "pending", due_in=-3600)
    yield "100 due"
    insert(vendor, WAITING, "running", due_in=60)
    yield f"and {WAITING:,} waiting"
    insert(vendor, DUE, "pending", due_in=-3600)
    yield f"and {DUE:,} due"
    insert(vendor, FINISHED, "completed", due_in=None)
    yield f"and {FINISHED:,} finished"


def insert(vendor: str, count: int, status: str, *, due_in: int | None) -> None:
    """Insert operations and let the planner know."""
    from django.db import connection

    says = SAYS[vendor]
    due = "NULL" if due_in is None else says["moved"].format(seconds=due_in)
    values = [
        value.format(**{**says, "status": status, "due": due, "places": PLACES, "moved": ""})
        for value in COLUMNS.values()
    ]
    with connection.cursor() as cursor:
        quiet = "ALTER TABLE operations_operation {} TRIGGER USER"
        if vendor == "postgresql":
            cursor.execute(quiet.format("DISABLE"))
        numbers = says["numbers"].format(count=count)
        cursor.execute(
            f"INSERT INTO operations_operation ({', '.join(COLUMNS)}) SELECT {', '.join(values)} FROM ({numbers}) AS n"
        )
        if vendor == "postgresql":
            cursor.execute(quiet.format("ENABLE"))
        cursor.execute("ANALYZE")


def one_claim() -> float:
    """Claim, and take the claim back; seconds of the claim alone."""
    from django.db import transaction

    from apps.operations.queue import leases

    with transaction.atomic():
        begin = time.perf_counter()
        claimed = leases.claim(owner="bench", max_count=BATCH)
        took = time.perf_counter() - begin
        transaction.set_rollback(True)
    assert len(claimed) == BATCH
    return took


def plan(vendor: str) -> None:
    """Print how the database does it, with all those rows."""
    from django.db import connection, transaction

    from apps.operations.queue import leases

    print(f"\nThe plan of it, {vendor}")
    with transaction.atomic(), connection.execute_wrapper(explained):
        leases.claim(owner="bench", max_count=BATCH)
        transaction.set_rollback(True)


def explained(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Explain a claim's statement in its place."""
    if "UPDATE" not in sql:
        return execute(sql, params, many, context)
    cursor = context["cursor"]
    sqlite = context["connection"].vendor == "sqlite"
    answer = execute(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN (COSTS OFF) ") + sql, params, many, context)
    print("\n".join(f"    {row[-1]}" for row in cursor.fetchall()))
    execute("SELECT NULL, 0 WHERE 1 = 0", (), many, context)
    return answer
