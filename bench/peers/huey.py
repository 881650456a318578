"""Huey with Redis: two processes, its Django tasks."""

from __future__ import annotations

from typing import Any

import django
from huey.contrib.djhuey import HUEY, db_task

from bench.jobs import tracked

__all__ = ["HUEY", "work", "submit"]

TITLE = "Huey, Redis"
COUNT = 1500
COMMANDS = [["huey_consumer", "bench.peers.huey.HUEY", "--workers", "2", "--worker-type", "process", "--quiet"]]

django.setup()


@db_task()
def work(job: str) -> None:
    """Do the tracked work."""
    tracked.work(job)


def submit(number: int) -> Any:
    """Insert, then queue."""
    key = tracked.insert(number)
    work(str(key))
    return key
