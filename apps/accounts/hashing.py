"""Password hashing, limited: it takes a third of a second of a processor, and requests need processors as well."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from apps.system.errors import RateLimited
from apps.system.process_semaphore import acquire_slot

# Threads of a web process that may wait for their turn; one more is refused at once, so that some are left for others.
MAX_WAITING = 3
WAIT_SECONDS = 3.0
RETRY_SECONDS = 2
POLL_SECONDS = 0.02


class HashingLimit:
    """Limits hashing to half of the machine's processors, counted over all processes with one VAR_DIR.

    Threads of requests wait for `wait_seconds`, the main thread of a command for `command_seconds`, by default as long
    as it takes.
    """

    def __init__(
        self,
        slots: int,
        max_waiting: int = MAX_WAITING,
        wait_seconds: float = WAIT_SECONDS,
        command_seconds: float = float("inf"),
    ):
        self.slots, self.wait_seconds, self.command_seconds = slots, wait_seconds, command_seconds
        self.waiting = threading.BoundedSemaphore(max_waiting)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a slot. Raises RateLimited when none is free in time."""
        held = self.take() or self.wait()
        try:
            yield
        finally:
            os.close(held)

    def take(self) -> int | None:
        """Return the locked file of a free slot, or None."""
        return acquire_slot("hashing", self.slots)

    def wait(self) -> int:
        """Wait for a slot and return its file. Raises RateLimited."""
        if threading.current_thread() is threading.main_thread():
            return self.poll(time.monotonic() + self.command_seconds)
        if not self.waiting.acquire(blocking=False):
            raise RateLimited(seconds=RETRY_SECONDS)
        try:
            return self.poll(time.monotonic() + self.wait_seconds)
        finally:
            self.waiting.release()

    def poll(self, give_up: float) -> int:
        """Try until a slot is free. Raises RateLimited."""
        while (held := self.take()) is None:
            if time.monotonic() > give_up:
                raise RateLimited(seconds=RETRY_SECONDS)
            time.sleep(POLL_SECONDS)
        return held


LIMIT = HashingLimit(max(1, len(os.sched_getaffinity(0)) // 2))


class LimitedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher, waiting for its turn. Raises RateLimited."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Hash a password; all that check, set or renew one come through here."""
        with LIMIT.hold():
            return super().encode(password, salt, iterations)
