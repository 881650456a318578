"""Moments at which processes may be killed: an operation whose step loses its worker once too often ends by design.

Kills at random meet one step again and again if they are many enough, and an operation that has failed for that says
nothing about the kills. So a test looks first, while none of the processes can go on.
"""

import os
import signal
import time
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import connection

from apps.operations.models import Operation
from tests.operations.processes import children, stat

PATIENCE = 120
STATEMENT_SECONDS = 0.5


@contextmanager
def below_crash_limit(processes, *, losses=1):
    """Hold the processes still at a moment when each step can lose its worker so many times more.

    `processes` is a function that lists their ids. They go on afterwards, but for those that were killed.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        with held(processes):
            if is_quiet() and not at_crash_limit(losses):
                yield
                return
        assert time.monotonic() < give_up, f"still at the limit: {at_crash_limit(losses)}"
        time.sleep(0.02)


def at_crash_limit(losses):
    """List the operations that so many more losses would end: a start is counted before the step begins."""
    starts = settings.OPERATIONS["max_crashes"] - losses
    return list(Operation.objects.unfinished().filter(crash_count__gt=starts).values_list("pk", "crash_count"))


@contextmanager
def held(processes):
    """Stop processes, and those that they start meanwhile, and let them go on afterwards."""
    stopped = set()
    try:
        while fresh := set(processes()) - stopped:
            stopped |= fresh
            signal_all(fresh, signal.SIGSTOP)
            while not all(map(is_still, fresh)):
                time.sleep(0.001)
        yield
    finally:
        signal_all(stopped, signal.SIGCONT)


def is_still(pid):
    """Tell whether a process is stopped, has ended, or waits in vfork for a child that is stopped before its exec."""
    state = (stat(pid) or "X")[0]
    return state in "TtZX" or (state == "D" and any((stat(child) or "X")[0] in "Tt" for child in children(pid)))


def signal_all(pids, number):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_quiet():
    """Tell whether the database has done what it was asked before the processes were held."""
    if connection.vendor == "sqlite":
        return True
    give_up = time.monotonic() + STATEMENT_SECONDS
    while time.monotonic() < give_up:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"""
            )
            if not cursor.fetchone()[0]:
                return True
        time.sleep(0.005)
    return False
