"""The tracked work as a peer does it, with Django's ORM; it does not even read the row."""

from __future__ import annotations

from uuid import UUID

ANSWER = {"answer": 42}


def insert(number: int) -> UUID:
    """Insert the row; returns its key."""
    from bench.jobs.models import Job

    return Job.objects.create(kind="bench.instant", params={"number": number}).pk


def work(job: str) -> None:
    """Set the row running, then completed."""
    from django.utils import timezone

    from bench.jobs.models import Job

    Job.objects.filter(pk=job).update(status="running", started_at=timezone.now())
    Job.objects.filter(pk=job).update(status="completed", result=ANSWER, ended_at=timezone.now())
