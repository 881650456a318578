"""The heartbeat of a running step: renew its lease, interrupt it when it must stop, kill it when it does not listen."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, close_old_connections, connection

from apps.operations.handler_api import Lease
from apps.operations.queue import leases
from apps.operations.worker import child_processes
from apps.system.database import log_trouble

logger = logging.getLogger(__name__)
POLL_SECONDS = 0.5
GRACE_SECONDS = 3.0
MIN_WATCHDOG_SECONDS = 5.0


class Interrupted(SystemExit):
    """The running step was told to stop: `reason` is `lost`, `cancelled` or `overdue`.

    It is a SystemExit because that is what psycopg ends a running statement at the server for.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class LeaseKeeper:
    """Renews a lease each third of its length, and knows until when it surely holds."""

    def __init__(self) -> None:
        self.renewed_at = self.ends_at = 0.0  # of time.monotonic()

    def renewed(self, asked_at: float) -> None:
        """Record that a statement sent at that time renewed the lease: it ends no sooner than this says.

        A tenth of it, a second at most, is left for the step to stop before another node may begin it.
        """
        self.renewed_at = asked_at
        self.ends_at = asked_at + leases.lease_seconds() - min(1.0, leases.lease_seconds() / 10)

    def renew_if_due(self, lease: Lease, now: float) -> None:
        """Renew the lease when a third of its length has passed since the last time."""
        if now - self.renewed_at > leases.lease_seconds() / 3 and leases.renew(lease):
            self.renewed(now)

    def has_ended(self) -> bool:
        """Tell whether the lease may have run out, as it could not be renewed."""
        return time.monotonic() >= self.ends_at


class StepInterrupter:
    """Raises Interrupted in the main thread, by a signal, and tells when a step has not stopped in time."""

    def __init__(self) -> None:
        self.main_thread = 0
        self.running: Lease | None = None
        self.interrupted: Lease | None = None
        self.interrupted_at = 0.0
        self.reason = ""

    def install(self) -> None:
        """Install the signal handler; called in the main thread."""
        self.main_thread = threading.get_ident()
        signal.signal(signal.SIGUSR1, self.on_signal)

    def on_signal(self, number: int, frame: Any) -> None:
        """Raise in the main thread, if the step that was interrupted is still the one that runs."""
        if self.running is not None and self.running is self.interrupted:
            raise Interrupted(self.reason)

    def interrupt(self, lease: Lease, reason: str) -> None:
        """Interrupt the step that runs under the lease."""
        self.interrupted_at, self.interrupted, self.reason = time.monotonic(), lease, reason
        signal.pthread_kill(self.main_thread, signal.SIGUSR1)

    def was_ignored(self, lease: Lease) -> bool:
        """Tell whether the step still runs though it was interrupted longer ago than it is given to stop."""
        late = self.interrupted is lease and time.monotonic() - self.interrupted_at > GRACE_SECONDS
        return late and self.running is lease


class Watchdog:
    """A countdown that the supervisor runs for this process: at zero it kills the process.

    It is for a step that lets no thread run, such as C code that keeps the interpreter's lock, and ends it before its
    lease runs out and another worker begins. `countdown` is None outside a worker's process.
    """

    def __init__(self) -> None:
        self.countdown: Any = None

    def arm(self) -> None:
        """Start the countdown, or start it anew."""
        if self.countdown is not None:
            self.countdown.value = max(MIN_WATCHDOG_SECONDS, int(leases.lease_seconds() * 0.6))

    def disarm(self) -> None:
        """Stop the countdown, between steps."""
        if self.countdown is not None:
            self.countdown.value = -1


class Heartbeat:
    """Guards one step at a time, with two threads.

    `poll` renews the lease each third of its length and polls the row each half second for a cancel, the deadline or a
    lost lease. Then it interrupts the step, and kills the process group three seconds later.

    `feed_watchdog` never waits for the database: it resets the watchdog, and treats a lease that could not be renewed
    in time as lost.

    Both sleep while no step runs, and are woken by the first one after a pause only: many short ones cost nothing.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.wakes_poll, self.wakes_watchdog = threading.Event(), threading.Event()
        self.keeper, self.interrupter, self.watchdog = LeaseKeeper(), StepInterrupter(), Watchdog()

    @property
    def lease(self) -> Lease | None:
        """The lease of the running step, None between steps."""
        return self.interrupter.running

    @contextmanager
    def guard(self, lease: Lease, *, since: float) -> Iterator[None]:
        """Guard the block under a lease taken at `since` of time.monotonic(); raises Interrupted in the block.

        A block inside a caller's transaction is not guarded: its writes cannot be seen from outside.
        """
        if connection.in_atomic_block:
            yield
            return
        if self.pid != os.getpid():
            self.start()
        self.keeper.renewed(since)
        self.interrupter.running = lease
        try:
            self.wakes_poll.set()
            self.wakes_watchdog.set()
            self.watchdog.arm()
            yield
        finally:
            self.interrupter.running = None
            self.watchdog.disarm()
            if self.watchdog.countdown is not None:
                child_processes.reap()

    def start(self) -> None:
        """Start the threads, once in each process; only a main thread can be interrupted."""
        self.pid = os.getpid()
        self.wakes_poll, self.wakes_watchdog = threading.Event(), threading.Event()
        if threading.current_thread() is threading.main_thread():
            self.interrupter.install()
            threading.Thread(target=self.poll, name="heartbeat", daemon=True).start()
            threading.Thread(target=self.feed_watchdog, name="watchdog", daemon=True).start()

    def wait_for_step(self, begun: threading.Event) -> None:
        """Wait until a step runs; the event is this thread's alone, or the other could clear it in between."""
        if self.lease is None:
            begun.clear()
            if self.lease is None:  # else it began before the event was cleared
                begun.wait()

    def feed_watchdog(self) -> None:
        """Reset the watchdog while the lease holds, then interrupt and kill the step; for ever."""
        while True:
            self.wait_for_step(self.wakes_watchdog)
            time.sleep(POLL_SECONDS / 2)
            lease = self.lease
            if lease is None:
                continue
            if not self.keeper.has_ended():
                self.reset_watchdog()
            elif self.interrupter.interrupted is not lease:
                self.interrupter.interrupt(lease, "lost")
            elif self.interrupter.was_ignored(lease):
                logger.error("killing a step of operation %s, whose lease has ended", lease.operation_id)
                end_process()

    def reset_watchdog(self) -> None:
        """Arm the watchdog anew; one that was armed though the step has just ended is disarmed again."""
        self.watchdog.arm()
        if self.lease is None:
            self.watchdog.disarm()

    def poll(self) -> None:
        """Poll the row of the running step, for ever."""
        lease: Lease | None = None
        while True:
            self.wait_for_step(self.wakes_poll)
            time.sleep(POLL_SECONDS)
            if self.lease is not lease:
                lease = self.lease  # a step that began just now is left alone until the next poll
                if lease is None:
                    connection.close()  # none is held while no step runs
                continue
            if lease is None:
                continue
            try:
                close_old_connections()
                self.poll_once(lease)
            except Error as error:
                text = f"operation {lease.operation_id} could not be looked after, as %s; trying again"
                log_trouble(logger, error, text)
                connection.close()

    def poll_once(self, lease: Lease) -> None:
        """Renew the lease of the running step, interrupt it, or kill it."""
        now = time.monotonic()
        if self.interrupter.interrupted is lease:
            if self.interrupter.was_ignored(lease):
                self.kill(lease)
        elif reason := leases.stop_reason(lease):
            self.interrupter.interrupt(lease, reason)
        else:
            self.keeper.renew_if_due(lease, now)

    def kill(self, lease: Lease) -> None:
        """Kill a step that ignored its interruption; the operation is claimed anew in a second, and then ended."""
        reason = self.interrupter.reason
        logger.error("killing a step of operation %s that did not stop (%s)", lease.operation_id, reason)
        leases.release_soon(lease)
        end_process()


def end_process() -> None:
    """End this process at once, with its process group where that is its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


heartbeat = Heartbeat()
