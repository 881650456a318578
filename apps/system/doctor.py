"""Checks of this installation for `manage.py doctor`; each app registers its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection

from apps.system.errors import DomainError

DATABASE_SECONDS, CHECK_SECONDS = 5.0, 15.0
PROGRAM_SECONDS = 5.0
AWAY = "Repair the database first; see the first line."


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis: about what, how bad, what was found, and what to do about it."""

    name: str
    level: Level
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Finding:
    """Find something in order."""
    return Finding(name, Level.OK, found)


def warn(name: str, found: str, advice: str) -> Finding:
    """Find something that works and deserves a look."""
    return Finding(name, Level.WARN, found, advice)


def fail(name: str, found: str, advice: str) -> Finding:
    """Find something that does not work."""
    return Finding(name, Level.FAIL, found, advice)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check of one part, within `seconds`: `look` returns findings, or further checks for each of several parts.

    `uses_network` marks a check that connects to other machines, which `--offline` leaves out.
    """

    name: str
    look: Callable[[], Iterable[Finding | Check]]
    needs_database: bool = True
    uses_network: bool = False
    seconds: float = CHECK_SECONDS


_modules: list[str] = []


def register_checks(module: str) -> None:
    """Add an app's checks, the CHECKS of a module; they run before those of the apps above, which are ready earlier."""
    _modules.insert(0, module)


def checks() -> list[Check]:
    """Return all checks."""
    return [check for module in _modules for check in import_module(module).CHECKS]


class OutOfTime(BaseException):
    """A check has used up its time. Nothing that handles ordinary errors, such as a cloud's library, may hide it."""


def examine(*, offline: bool = False) -> Iterator[Finding]:
    """Look at everything, the database first; whatever does not answer in time, or at all, is a finding too.

    It counts time with the alarm signal: call it in the main thread.
    """
    answers = True
    for finding in run(Check(name="database", look=check_database, seconds=DATABASE_SECONDS), answers=True):
        answers = answers and finding.level is Level.OK
        yield finding
    for check in checks():
        if not (offline and check.uses_network):
            yield from run(check, answers=answers, offline=offline)


def run(check: Check, *, answers: bool, offline: bool = False) -> Iterator[Finding]:
    """Run a check and those that it returns; `answers` tells whether the database does."""
    if check.needs_database and not answers:
        yield warn(check.name, "Not known without the database.", AWAY)
        return
    for item in outcome(check):
        if isinstance(item, Finding):
            yield item
        elif not (offline and item.uses_network):
            yield from run(item, answers=answers, offline=offline)


def outcome(check: Check) -> list[Finding | Check]:
    """Return what a check finds; a failure of its own is a finding."""
    try:
        with within(check.seconds):
            return list(check.look())
    except OutOfTime:
        connection.close()
        return [fail(check.name, f"No answer within {check.seconds:g} s.", "See whether what it asks can be reached.")]
    except Error as error:
        connection.close()
        advice = "Run `manage.py migrate` if something is missing, else see the database's log."
        return [fail(check.name, f"The database refused: {first_line(error)}", advice)]
    except DomainError as error:
        return [fail(check.name, error.text, "Correct that, then run this again.")]
    except OSError as error:
        return [fail(check.name, f"The system refused: {error.strerror}.", "See permissions and free space.")]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Interrupt the block with OutOfTime after so many seconds."""

    def interrupt(number: int, frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_database() -> list[Finding]:
    """Check whether the database answers, without making one where there is none."""
    advice = "See DATABASE_URL, whether the database runs, and its log."
    file = Path(str(settings.DATABASES["default"]["NAME"]))
    if connection.vendor == "sqlite" and file.is_absolute() and not file.exists():
        return [fail("database", f"There is no file {file}.", "Run `manage.py migrate`, or see DATABASE_URL.")]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
            return [ok("database", f"{connection.display_name} {cursor.fetchone()[0]} answers.")]
    except Error as error:
        connection.close()
        return [fail("database", f"It does not answer: {first_line(error)}", advice)]


def program(name: str, *command: str, advice: str) -> Finding:
    """Check whether a program, in Python's folder or on PATH, runs."""
    path = shutil.which(
        command[0], path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if path is None:
        return fail(name, f"There is no {command[0]} on PATH.", advice)
    try:
        done = subprocess.run(  # noqa: S603 - one of our own commands
            [path, *command[1:]], capture_output=True, stdin=subprocess.DEVNULL, timeout=PROGRAM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return fail(name, f"{path} did not end within {PROGRAM_SECONDS:g} s.", "See what keeps this machine busy.")
    output = (done.stdout or done.stderr).decode(errors="replace").strip().partition("\n")[0]
    if done.returncode:
        return fail(name, f"{path} ended with exit code {done.returncode}.", advice)
    return ok(name, f"{path}: {output}")


def first_line(error: Exception) -> str:
    """Return what a database says, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
