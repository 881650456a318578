"""Procrastinate on the same PostgreSQL: two worker processes."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app

from bench.jobs import tracked

TITLE = "Procrastinate"
COUNT = 500
COMMANDS = [["python", "manage.py", "procrastinate", "worker"]] * 2


@app.task
def work(job: str) -> None:
    """Do the tracked work."""
    tracked.work(job)


@transaction.atomic
def submit(number: int) -> Any:
    """Insert and queue in one transaction."""
    key = tracked.insert(number)
    work.defer(job=str(key))
    return key
