"""Events and a number that processes share, without a lock that a killed process could keep."""

from __future__ import annotations

import os
import select
import weakref
from contextlib import suppress
from multiprocessing.sharedctypes import RawValue

PIPE_BYTES = 2**16


class PipeEvent:
    """An event without a lock: set once, by a byte in a pipe that nobody takes out."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        weakref.finalize(self, close_all, self.reader, self.writer)

    def set(self) -> None:
        """Set it."""
        os.write(self.writer, b"1")

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for so many seconds."""
        return bool(select.select([self.reader], [], [], timeout)[0])


def close_all(*descriptors: int) -> None:
    """Close file descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


class WakeupPipe:
    """A pipe by which other processes wake one process; calls of `wake` before it looks count as one."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        weakref.finalize(self, close_all, self.reader, self.writer)

    def wake(self) -> None:
        """Wake the reader; a full pipe will wake it anyway."""
        with suppress(BlockingIOError):
            os.write(self.writer, b"1")

    def was_woken(self) -> bool:
        """Tell whether `wake` was called since the last time."""
        with suppress(BlockingIOError):
            return bool(os.read(self.reader, PIPE_BYTES))
        return False


class SharedNumber:
    """A shared number without a lock; one process writes it at a time, and a torn read of a float does not occur."""

    def __init__(self, kind: str, value: float):
        self.raw = RawValue(kind, value)

    @property
    def value(self) -> float:
        """The number."""
        return self.raw.value

    @value.setter
    def value(self, value: float) -> None:
        self.raw.value = value

    def get_lock(self) -> SharedNumber:
        """Return something to enter that locks nothing."""
        return self

    def __enter__(self) -> SharedNumber:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave."""
