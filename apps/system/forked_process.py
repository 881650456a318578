"""A child process forked from this one, so that both share the memory of what was imported before the fork."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from django.db import connections

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
LIBC = ctypes.CDLL(None)  # loaded before any fork
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.05
FIRST_FILE = 3  # the descriptors below it are standard input, output and error
# What is imported where it is used, and each worker would otherwise import for itself.
SHARED = ("httpx", "httpcore", "jinja2", "jsonschema", "yaml", "cryptography.fernet")


_loaders: list[Callable[[], object]] = []


def register_shared(load: Callable[[], object]) -> None:
    """Add a function that imports what forked processes are going to use."""
    _loaders.append(load)


def import_shared() -> None:
    """Import what forked processes are going to use, so that they share its memory."""
    for module in SHARED:
        import_module(module)
    for load in _loaders:
        load()


class ForkedProcess:
    """Runs a function in a child process; has the methods of `subprocess.Popen` that supervision uses.

    The child leads a session of its own, gets SIGTERM when its parent dies, and has none of the parent's files but the
    standard ones, nor its database connections. To be made only while the parent has one thread: a lock that another
    thread holds would never be released in the child. Raises OSError when there can be no further process.
    """

    def __init__(self, run: Callable[[], object], *, name: str):
        self.returncode: int | None = None
        connections.close_all()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        gc.freeze()  # a collection in the child would write to, and so copy, every page of what is shared
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            run_and_exit(run, name, parent)

    def poll(self) -> int | None:
        """Return the exit code, minus the number of the signal that killed it, or None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code. Raises TimeoutExpired after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(LOOK_SECONDS)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def run_and_exit(run: Callable[[], object], name: str, parent: int) -> None:
    """Be the child: run the function, then end the process without anything of the parent's own end."""
    code = 1
    try:
        set_up_child(name, parent)
        run()
        code = 0
    except SystemExit as end:
        code = exit_code(end)
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's code
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def set_up_child(name: str, parent: int) -> None:
    """Let go of what is the parent's own."""
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        LIBC.prctl(PR_SET_NAME, name.encode()[:15])
    if os.getppid() != parent:
        os._exit(1)  # it died before it could be known
    os.closerange(FIRST_FILE, os.sysconf("SC_OPEN_MAX"))


def exit_code(end: SystemExit) -> int:
    """Return the exit code that Python would end with, and print what is no number, as it does."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1
