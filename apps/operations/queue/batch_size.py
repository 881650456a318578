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
        self.kept: list[Any] = []
        self.count, self.put_at = 0, time.monotonic()

    def filled(self, tasks: list[Any]) -> list[Any]:
        """Note that tasks are on their way; returns them, but for a quarter of a large batch, which `rest` returns."""
        kept = len(tasks) // 4 if len(tasks) >= 4 * self.workers else 0
        put, self.kept = tasks[: len(tasks) - kept], tasks[len(tasks) - kept :]
        self.count, self.put_at = len(put), time.monotonic()
        return put

    def rest(self) -> list[Any]:
        """Return what was kept of the batch: the workers go on with it while the next one is claimed."""
        kept, self.kept = self.kept, []
        return kept

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
