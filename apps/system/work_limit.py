"""A limit on the work that the schema, value or expression of a client may cause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from apps.system.errors import TooMuchWork

SECONDS_PER_UNIT = 5e-6
_left: ContextVar[list[int] | None] = ContextVar("work_left", default=None)


@contextmanager
def limited_work(units: int) -> Iterator[None]:
    """Allow so many units of work inside; inside another such block, the limit of that one holds instead.

    A unit is about five microseconds of a processor, such as one keyword of a JSON Schema held against one value.
    """
    if _left.get() is not None:
        yield
        return
    token = _left.set([units])
    try:
        yield
    finally:
        _left.reset(token)


@contextmanager
def at_least_the_time_taken() -> Iterator[None]:
    """Count the processor time of what is done inside, where that is more than what is counted there.

    Raises TooMuchWork.
    """
    left = _left.get()
    before, began = left[0] if left else 0, time.thread_time()
    yield
    if left is not None:
        spend(max(0, int((time.thread_time() - began) / SECONDS_PER_UNIT) - (before - left[0])))


def spend(units: int) -> None:
    """Count work that is about to be done. Raises TooMuchWork when it is more than is allowed."""
    left = _left.get()
    if left is not None:
        left[0] -= units
        if left[0] < 0:
            raise TooMuchWork
