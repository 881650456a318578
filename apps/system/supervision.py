"""Supervise processes: start them again when they die, after pauses that grow, and give up on a hopeless one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

SHORT_LIFE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
MAX_FAILURES = 5
KILLED = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)


class Backoff:
    """Pauses before a restart: none after a life of some length, else twice the one before."""

    def __init__(self) -> None:
        self.pause = 0.0

    def after(self, *, seconds: float) -> float:
        """Return for how many seconds to wait, now that it has died after so many seconds of life."""
        longer = min(max(self.pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.pause = longer if seconds < SHORT_LIFE_SECONDS else 0.0
        return self.pause


class Process(Protocol):
    """What supervision needs of a process: some of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""


class Hopeless(Exception):  # noqa: N818 - raised as a fact about the child
    """A child that has never worked has ended by itself, soon after its start, several times."""


class Child:
    """A child process that is to live.

    `start` starts it as the leader of a process group of its own; what is left of the group dies before it is started
    again. A child that has worked once, or was killed from outside, is always started again. One that has never worked
    and ends by itself soon after its start, MAX_FAILURES times, is given up. What has lived for some seconds,
    or whose `has_worked` was set, has worked.
    """

    def __init__(self, name: str, start: Callable[[], Process], say: Callable[[str], object]):
        self.name, self.start_process, self.say = name, start, say
        self.backoff, self.failures, self.has_worked = Backoff(), 0, False
        self.began = self.due = time.monotonic()
        self.process: Process | None = None

    def keep_alive(self) -> None:
        """Start it if it does not live and its pause is over. Raises Hopeless."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.record_death(code)
        if self.process is None and time.monotonic() >= self.due:
            self.began = time.monotonic()
            try:
                self.process = self.start_process()
            except OSError as error:
                self.due = self.began + self.backoff.after(seconds=0)
                self.say(f"the {self.name} cannot be started ({error.strerror}); trying again")

    def record_death(self, code: int) -> None:
        """Take note that it has died, and of when to start it again. Raises Hopeless."""
        self.end_group()
        lived = time.monotonic() - self.began
        pause = self.backoff.after(seconds=lived)
        self.has_worked = self.has_worked or lived >= SHORT_LIFE_SECONDS
        if code not in KILLED:
            self.failures += 1
        if self.failures >= MAX_FAILURES and not self.has_worked:
            raise Hopeless(
                f"The {self.name} ended {self.failures} times within {SHORT_LIFE_SECONDS:g} s of its start, "
                f"at last {how_ended(code)}; its messages are above."
            )
        self.process, self.due = None, time.monotonic() + pause
        self.say(f"the {self.name} ended ({how_ended(code)}); starting it again in {pause:g} s")

    def end_group(self) -> None:
        """Kill what is left of the process group."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end until a moment of the monotonic clock, then kill its process group."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, until - time.monotonic()))
        self.end_group()
        self.process.wait()


def how_ended(code: int) -> str:
    """Describe an exit code of `subprocess`, for people."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
