"""What a day costs as the tables grow: deleting the operations of the oldest day, and claiming.

`RETENTION_SIZES` says how many operations there are, one after another; a day has `DAY` of them, each with two lines.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

from bench.stage import database

SIZES = [int(size) for size in os.environ.get("RETENTION_SIZES", "50000,150000,450000").split(",")]
DAY, CLAIMS = 5000, 50


def main() -> None:
    """Run on the configured database."""
    from bench.list_rows import insert_servers

    with database() as vendor:
        insert_servers(0)
        present = 0
        print(f"\nA day of {DAY:,} operations with {2 * DAY:,} lines of log, {vendor}")
        for size in SIZES:
            grow(vendor, present, size + DAY)
            seconds, deleted = prune(size)
            claim = statistics.median(claims()) * 1000
            print(
                f"  {size:>9,} operations: a day deleted in {seconds:>6.2f} s ({deleted:,}), a claim {claim:>6.2f} ms"
            )
            present = size


def grow(vendor: str, present: int, size: int) -> None:
    """Insert operations that are older, second by second, than those that are there; and some that are due."""
    from django.db import connection

    from bench.claims import insert
    from bench.list_rows import insert_operations

    insert_operations(vendor, size, first=present)
    if not present:
        insert(vendor, 1000, "pending", due_in=-3600)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def prune(size: int) -> tuple[float, int]:
    """Delete what is older than the newest so many; returns seconds, and how many operations were deleted."""
    from apps.operations.retention import prune_operations

    began = time.perf_counter()
    deleted = prune_operations(older_than=timedelta(seconds=size))
    return time.perf_counter() - began, deleted


def claims() -> list[float]:
    """Return the seconds of claims."""
    from bench.claims import one_claim

    return [one_claim() for _ in range(CLAIMS + 5)][5:]
