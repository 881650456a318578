"""How many tasks to take at once."""

from __future__ import annotations

import time
from typing import Any

GLIMPSE_SECONDS = 0.05
MAX_PER_WORKER = 16


class Batch:
    """The last batch, and from how it went, the size of the next.

    One task for each worker, and more while they are done in no time: a claim of many costs little more than one of
    few. What is claimed waits on its lease, so it is never more than the workers have just done in a twentieth of a
    second.
    """

    def __init__(self, workers: int):
        self.workers = workers
        self.count, self.put_at = 0, time.monotonic()

    def filled(self, tasks: list[Any]) -> list[Any]:
        """Note that these tasks are on their way."""
        self.count, self.put_at = len(tasks), time.monotonic()
        return tasks

    def age(self) -> float:
        """Return for how long the batch has been on its way."""
        return time.monotonic() - self.put_at

    def size(self) -> int:
        """Return how many to take now that all of the batch was taken by workers."""
        done = int(self.count * GLIMPSE_SECONDS / max(self.age(), 0.001))
        return max(self.workers, min(done, MAX_PER_WORKER * self.workers))

    def pause(self) -> float:
        """Return for how long to leave the workers alone: the longer, the longer they have been at it."""
        return min(max(self.age() / 20, 0.0005), 0.02)
