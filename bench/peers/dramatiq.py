"""Dramatiq with Redis: two processes of one thread."""

from __future__ import annotations

from typing import Any

import django
import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.jobs import tracked

TITLE = "Dramatiq, Redis"
COUNT = 800
COMMANDS = [["dramatiq", "bench.peers.dramatiq", "--processes", "2", "--threads", "1"]]

django.setup()
dramatiq.set_broker(RedisBroker(url="redis://127.0.0.1:6379/15"))


@dramatiq.actor
def work(job: str) -> None:
    """Do the tracked work."""
    tracked.work(job)


def submit(number: int) -> Any:
    """Insert, then queue."""
    key = tracked.insert(number)
    work.send(str(key))
    return key
