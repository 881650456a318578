"""One contender's turn, in a process of its own: `python -m bench.contest NAME throughput|latency`; prints JSON."""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.processes import running

SAMPLES = 100
PATIENCE = 120


def throughput(peer: Any, rows: Any) -> dict[str, float]:
    """Fill the queue, start the workers and wait; rates are a second, from the first start to the last end."""
    from django.db.models import Max, Min

    begin = time.perf_counter()
    for number in range(peer.COUNT):
        peer.submit(number)
    enqueued = peer.COUNT / (time.perf_counter() - begin)
    with workers(peer):
        until(lambda: not rows.filter(status__in=["pending", "running"]).exists(), 0.1)
    assert rows.filter(status="completed").count() == peer.COUNT
    span = rows.aggregate(first=Min("started_at"), last=Max("ended_at"))
    return {"enqueued": enqueued, "done": peer.COUNT / (span["last"] - span["first"]).total_seconds()}


def latency(peer: Any, rows: Any) -> dict[str, list[float]]:
    """Submit one at a time to idle workers; seconds until it had started, and until its end could be read."""
    with workers(peer):
        samples = [sample(peer, rows) for _ in range(SAMPLES + 10)][10:]
    started, completed = zip(*samples, strict=True)
    return {"started": started, "completed": completed}


def sample(peer: Any, rows: Any) -> tuple[float, float]:
    """Submit one job and watch it."""
    time.sleep(random.uniform(0.02, 0.06))
    begin = time.time()
    row = rows.filter(pk=peer.submit(0)).values_list("started_at", "ended_at")
    until(lambda: row.get()[1] is not None, 0.001)
    return row.get()[0].timestamp() - begin, time.time() - begin


def until(done: Any, pause: float) -> None:
    """Wait; raises TimeoutError."""
    give_up = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > give_up:
            raise TimeoutError("the workers have not ended what was queued")
        time.sleep(pause)


def workers(peer: Any) -> AbstractContextManager[None]:
    """Run the contender's worker processes."""
    folder = Path(sys.executable).parent
    return running([[folder / command[0], *command[1:]] for command in peer.COMMANDS])


def clear() -> None:
    """Empty the tables and the queues."""
    from django.apps import apps
    from django.db import connection
    from redis import Redis

    if connection.vendor == "postgresql":
        Redis.from_url("redis://127.0.0.1:6379/15").flushdb()
    ours = [apps.get_model(name)._meta.db_table for name in ("jobs.Job", "operations.Event", "operations.Operation")]
    queues = ["django_q_ormq", "django_q_task", "procrastinate_jobs"]
    there = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in [name for name in ours + queues if name in there]:
            cascade = connection.vendor == "postgresql"
            cursor.execute(f"TRUNCATE {table} CASCADE" if cascade else f"DELETE FROM {table}")


def main(name: str, what: str) -> None:
    """Take the turn."""
    import django

    django.setup()
    from apps.operations.models import Operation
    from bench.jobs.models import Job

    peer = importlib.import_module(f"bench.peers.{name}")
    clear()
    rows = (Operation if name == "ours" else Job).objects.order_by()
    print(json.dumps({"throughput": throughput, "latency": latency}[what](peer, rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
