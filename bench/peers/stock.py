"""Django-q2 as it comes: its defaults, its own broker on the same PostgreSQL, a plain task."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django_q.tasks import async_task

from bench.jobs import tracked

TITLE = "django-q2, stock"
COUNT = 300
COMMANDS = [["python", "manage.py", "qcluster"]]


@transaction.atomic
def submit(number: int) -> Any:
    """Insert and queue in one transaction."""
    key = tracked.insert(number)
    async_task("bench.jobs.tracked.work", str(key))
    return key
