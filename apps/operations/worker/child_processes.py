"""The processes that a step has started: none outlives the step's end by force."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_SECONDS = 2.0


def become_subreaper(*, adopting: bool = True) -> None:
    """Become the parent of whatever loses its parent below this process, so that nothing gets out of sight; or stop."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopting))


def children() -> set[int]:
    """Return the ids of this process's children, dead ones that nobody has waited for included; Linux only."""
    found: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found.update(map(int, listed.read_text().split()))
    return found


def kill_all(*, but: Collection[int] = ()) -> None:
    """Kill all children but those, then the children that they leave to us, until none is left."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (strays := children().difference(but)) and time.monotonic() < give_up:
        for pid in strays:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


def reap() -> None:
    """Take away children that have died unnoticed; only between steps, for a step waits for its own."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
