"""What nodes and one PostgreSQL carry, worked out from measured constants: more nodes than the machine at hand has.

`python -m bench scaling` plays the busiest ten minutes of a day with so many nodes, and prints what tables, connections
and event streams come to. Each constant names the command that measures it; SCALING_MACHINE=4 counts on a database that
is so many times as fast as the machine that they were measured on.
"""

from __future__ import annotations

import heapq
import os
import random
from dataclasses import dataclass

MACHINE = float(os.environ.get("SCALING_MACHINE", "1"))
# python -m bench engine: 1,001 operations of one step a second on two cores, which database and workers share alike.
DATABASE_MS, WORKER_MS = 1.0 / MACHINE, 1.0
DATABASE_CORES = 2
# Sizes in a table of a million operations with two lines each, indexes included (pg_table_size, pg_indexes_size).
OPERATION_BYTES, EVENT_BYTES = 943, 210
# python -m bench retention: operations with two lines each deleted in a second, on a machine busy with other work.
DELETED_PER_SECOND = 350
# docs/deployment.md: of two web processes with WEB_THREADS, and of a worker with WORKERS.
WEB_PROCESSES, WEB_THREADS, STREAM_THREADS, WORKERS = 2, 16, 3, 2
# python -m bench followers: streams on a node, and looks at the log a second of a web process that has any.
STREAMS, LOOKS, LOOK_MS = 1000, 5, 0.2
# What an operation comes to, as a server at a cloud does: steps, of which each calls the cloud, and lines of log.
STEPS, CLOUD_MS, LINES = 12, 200.0, 8
KEEP_DAYS, PEAK, SECONDS = 90, 5.0, 600.0


@dataclass(frozen=True)
class Size:
    """A deployment."""

    nodes: int
    workers: int
    servers: int
    operations_a_month: int

    @property
    def per_second(self) -> float:
        """Operations a second in the busiest minutes, `PEAK` times the average."""
        return self.operations_a_month / 30 / 86_400 * PEAK


SIZES = (
    Size(1, WORKERS, 10_000, 300_000),
    Size(3, 8, 30_000, 3_000_000),
    Size(10, 2, 100_000, 10_000_000),
    Size(10, 8, 100_000, 10_000_000),
    Size(10, 32, 100_000, 10_000_000),
    Size(30, 32, 300_000, 30_000_000),
)


def main() -> None:
    """Print the table, once: nothing here asks a database."""
    if not os.environ["DATABASE_URL"].startswith("sqlite"):
        return
    print(
        f"\nNodes and one PostgreSQL of {DATABASE_CORES} cores, {MACHINE:g} times as fast, worked out from measurements"
    )
    for size in SIZES:
        print(f"\n{size.nodes} nodes, {size.workers} worker processes each, {size.servers:,} servers")
        for name, value in {**work(size), **stored(size), **open_at_once(size)}.items():
            print(f"  {name:<52} {value}")


def work(size: Size) -> dict[str, str]:
    """Return what the busiest minutes are like."""
    waits, database, workers = play(size)
    at_99 = waits[len(waits) * 99 // 100] if waits else 0.0
    most = min(size.nodes * size.workers / step_seconds(), 1000 * DATABASE_CORES / DATABASE_MS) / STEPS
    return {
        "operations a second, average and busiest": f"{size.per_second / PEAK:.1f}, {size.per_second:.1f}",
        "steps a second in the busiest minutes": f"{size.per_second * STEPS:.0f}",
        "wait of a step for a worker then, median and 99 %": f"{waits[len(waits) // 2]:.2f} s, {at_99:.2f} s",
        "workers busy, database busy": f"{workers:.0%}, {database:.0%}",
        "operations a second that would fill one of them": f"{most:.1f}",
    }


def step_seconds() -> float:
    """Return how long a step holds a worker process when the database is free."""
    return (CLOUD_MS + WORKER_MS + DATABASE_MS) / 1000


def play(size: Size) -> tuple[list[float], float, float]:
    """Play the busiest minutes; returns the sorted waits for a worker, and what share of database and workers is busy.

    Steps come at random times, each takes the first free worker process of any node, and its queries the first free
    core of the database.
    """
    chance = random.Random(1)  # noqa: S311 - the same each time
    workers = [0.0] * (size.nodes * size.workers)
    cores = [0.0] * DATABASE_CORES
    now, waits, at_work = 0.0, [], 0.0
    while now < SECONDS:
        now += chance.expovariate(size.per_second * STEPS)
        begin = max(now, heapq.heappop(workers))
        queried = max(begin, heapq.heappop(cores)) + DATABASE_MS / 1000
        heapq.heappush(cores, queried)
        end = queried + (WORKER_MS + chance.expovariate(1 / CLOUD_MS)) / 1000
        heapq.heappush(workers, end)
        waits.append(begin - now)
        at_work += end - begin
    database = len(waits) * DATABASE_MS / 1000 / DATABASE_CORES / SECONDS
    return sorted(waits), database, min(1.0, at_work / len(workers) / SECONDS)


def stored(size: Size) -> dict[str, str]:
    """Return what the tables come to, and what a day's deleting costs."""
    a_day = size.operations_a_month / 30
    gigabytes = a_day * KEEP_DAYS * (OPERATION_BYTES + LINES * EVENT_BYTES) / 1e9
    return {
        "operations and lines of log a day": f"{a_day:,.0f}, {a_day * LINES:,.0f}",
        f"kept for {KEEP_DAYS} days": f"{a_day * KEEP_DAYS:,.0f}, {a_day * KEEP_DAYS * LINES:,.0f}, {gigabytes:.0f} GB",
        "deleting a day, whatever is kept": f"{a_day / DELETED_PER_SECOND / 60:.0f} minutes",
    }


def open_at_once(size: Size) -> dict[str, str]:
    """Return connections and event streams."""
    web = WEB_PROCESSES * (WEB_THREADS + STREAM_THREADS)
    looks = size.nodes * WEB_PROCESSES * LOOKS
    return {
        "connections to PostgreSQL": f"{size.nodes * (web + size.workers + 4)}",
        "event streams": f"{size.nodes * STREAMS:,}",
        "looks at the log for them, of a core of PostgreSQL": f"{looks} a second, {looks * LOOK_MS / 10:.1f} %",
    }
