"""Semaphores shared by all processes with one VAR_DIR: a few holders at a time.

A slot is a locked file: the system unlocks it when its holder ends, however that happens.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from django.conf import settings


def acquire_slot(name: str, slots: int) -> int | None:
    """Return the open file of a free slot, locked until it is closed; None when all slots of that name are taken."""
    for path in lock_files(name, slots):
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return os.open(os.devnull, os.O_RDONLY)  # without a lock file, as on a full disk, there is no limit
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            os.utime(file)
            return file
    return None


def seconds_held(name: str, slots: int) -> float:
    """Return for how many seconds the slot that was taken last has been held, 0 when that is not known."""
    try:
        return time.time() - max(path.stat().st_mtime for path in lock_files(name, slots))
    except OSError:
        return 0.0


def lock_files(name: str, slots: int) -> list[Path]:
    """Return the paths of the slots' lock files."""
    return [settings.VAR_DIR / f"{name}-{number}.lock" for number in range(slots)]
