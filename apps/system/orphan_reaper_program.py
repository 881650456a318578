"""The program of the orphan reaper (`orphan_reaper.py`): waits for a process's end, then kills what carries a mark.

It imports as little as it can, not even all of the standard library that it could use: one waits beside each worker.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

LIMIT_LINE = "Max realtime timeout"
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 10.0


def has_ended(pidfd: int, *, seconds: float | None) -> bool:
    """Wait until a process has ended, for so many seconds at most; tells whether it has."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else seconds * 1000))


def marked(mark: str) -> set[int]:
    """Return the ids of the tree's living processes, without this one."""
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - without pathlib
    return {pid for pid in pids - {os.getpid()} if is_marked(pid, mark)}


def is_marked(pid: int, mark: str) -> bool:
    """Tell whether a living process carries the mark; one that has ended has no limits."""
    with suppress(OSError):
        for line in read(pid, "limits").splitlines():
            if line.startswith(LIMIT_LINE):
                return mark in line.split() and is_running(pid)
    return False


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended; one that nobody has waited for has."""
    with suppress(OSError):
        return read(pid, "stat").rpartition(")")[2].split()[0] not in "ZX"
    return False


def read(pid: int, name: str) -> str:
    """Return what `/proc` says of a process. Raises OSError when it is gone."""
    with open(f"/proc/{pid}/{name}") as file:  # noqa: PTH123 - without pathlib
        return file.read()


def reap(root: int, mark: str, grace: float) -> int:
    """Wait for the root's end and its grace, then kill until nothing is left; returns how many were killed."""
    has_ended(root, seconds=None)
    end = time.monotonic() + grace
    while time.monotonic() < end and marked(mark):
        time.sleep(LOOK_SECONDS)
    killed: set[int] = set()
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := marked(mark)) and time.monotonic() < end:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.02)
    return len(killed)


def main(root: str, mark: str, grace: str, folder: str) -> None:
    """Leave the tree, say under which process id, and do the reaper's work."""
    pidfd = os.pidfd_open(int(root))
    pid = os.fork()
    if pid:
        os.write(1, str(pid).encode())
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    killed = reap(pidfd, mark, float(grace))
    if folder:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    if killed:
        with suppress(OSError):
            os.write(2, f"process {root} has ended; killed {killed} processes that it had left behind\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
