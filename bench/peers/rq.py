"""RQ: two workers, each forking for every job, as it does by default."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker, Worker

from bench.jobs import tracked

TITLE = "RQ, forking"
COUNT = 80
COMMANDS = [["python", "-m", "bench.peers.rq", "Worker"]] * 2


@cache
def queue() -> Queue:
    """Return the queue."""
    return Queue("bench", connection=Redis.from_url("redis://127.0.0.1:6379/15"))


def submit(number: int) -> Any:
    """Insert, then queue."""
    key = tracked.insert(number)
    queue().enqueue(tracked.work, str(key), result_ttl=0)
    return key


def serve(kind: str) -> None:
    """Work, with Django imported beforehand, as RQ's notes on performance advise."""
    import django

    django.setup()
    import bench.jobs.models  # noqa: F401

    {"Worker": Worker, "SimpleWorker": SimpleWorker}[kind]([queue()], connection=queue().connection).work(
        logging_level="WARNING"
    )


if __name__ == "__main__":
    serve(sys.argv[1])
