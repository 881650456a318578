"""Celery with Redis: prefork, two processes, its Django fix-up."""

from __future__ import annotations

from typing import Any

from celery import Celery

from bench.jobs import tracked

TITLE = "Celery, Redis, prefork"
COUNT = 400
COMMANDS = [["celery", "-A", "bench.peers.celery", "worker", "--concurrency=2", "--loglevel=warning"]]

app = Celery("bench", broker="redis://127.0.0.1:6379/15")
app.conf.broker_connection_retry_on_startup = True


@app.task(ignore_result=True)
def work(job: str) -> None:
    """Do the tracked work."""
    tracked.work(job)


def submit(number: int) -> Any:
    """Insert, then queue."""
    key = tracked.insert(number)
    work.delay(str(key))
    return key
