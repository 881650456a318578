"""What the service knows of itself, and constraints that speak."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from apps.system.errors import DomainError

STARTED = time.monotonic()


def uptime_seconds() -> int:
    """Return how long this process has served, in whole seconds."""
    return int(time.monotonic() - STARTED)


@contextmanager
def refused_as(error: DomainError) -> Iterator[None]:
    """Raise `error` when the block breaks a database constraint: the constraint holds the truth, the error says it."""
    try:
        with transaction.atomic(savepoint=False):
            yield
    except IntegrityError as broken:
        raise error from broken
