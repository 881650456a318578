"""The heartbeat: it keeps the running step's lease, ends a step that must stop, and shows that the process lives."""

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

from apps.operations import claims, offspring
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 3.0
LEAST_SILENCE_SECONDS = 5.0


class Interrupted(SystemExit):
    """The running step was told to stop: `reason` is `lost`, `cancelled` or `overdue`.

    It is a SystemExit because that is what psycopg ends a running statement at the server for.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Heart:
    """Guards one step at a time.

    While a step runs, its lease is renewed each third of its length and its row looked at each half second. A step that
    has lost its lease, is to be cancelled or is past its deadline is interrupted by an exception in the main thread.
    One that does not end within three seconds of that is killed with all it has started, its process group.

    A step that lets no thread run, such as C code that keeps the interpreter's lock, can only be ended from without:
    while a step runs, a second thread winds up `countdown`, which the cluster counts down to the process's end.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.lease: Lease | None = None
        self.told: Lease | None = None
        self.reason = ""
        self.countdown: Any = None

    @contextmanager
    def keeps(self, lease: Lease) -> Iterator[None]:
        """Guard the block; raises Interrupted in it. One in a caller's transaction cannot be seen from outside."""
        if connection.in_atomic_block:
            yield
            return
        if self.pid != os.getpid():
            self.start()
        self.lease = lease
        try:
            self.wind_up()
            yield
        finally:
            self.lease = None
            self.wind_up()
            if self.countdown is not None:
                offspring.bury()

    def start(self) -> None:
        """Start the thread, once in each process; only a main thread can be interrupted."""
        self.pid = os.getpid()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self.interrupt)
            threading.Thread(target=self.watch, name="heartbeat", daemon=True).start()
            threading.Thread(target=self.show, name="pulse", daemon=True).start()

    def interrupt(self, number: int, frame: Any) -> None:
        """Raise in the main thread, if the step that was told to stop is still the one that runs."""
        if self.lease is not None and self.lease is self.told:
            raise Interrupted(self.reason)

    def show(self) -> None:
        """Show that threads still run, for ever; nothing here waits for the database."""
        while True:
            time.sleep(LOOK_SECONDS)
            if self.lease is not None:
                self.wind_up()

    def wind_up(self) -> None:
        """Give the running step its seconds of silence anew, or stop the clock between steps.

        A step that is silent for longer than that is ended before its lease runs out and somebody else begins.
        """
        if self.countdown is not None:
            silence = max(LEAST_SILENCE_SECONDS, int(claims.lease_seconds() * 0.6))
            self.countdown.value = -1 if self.lease is None else silence

    def watch(self) -> None:
        """Look at the running step, for ever."""
        lease, renewed, told = None, 0.0, 0.0
        while True:
            time.sleep(LOOK_SECONDS)
            if self.lease is not lease:
                lease, renewed, told = self.lease, time.monotonic(), 0.0
                continue
            if lease is None:
                continue
            try:
                close_old_connections()
                if told and time.monotonic() - told > PATIENCE_SECONDS:
                    self.kill(lease)
                elif not told and (reason := claims.order_to_stop(lease)):
                    told, self.told, self.reason = time.monotonic(), lease, reason
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                elif not told and time.monotonic() - renewed > claims.lease_seconds() / 3:
                    claims.renew(lease)
                    renewed = time.monotonic()
            except Error:
                logger.warning("could not look after operation %s; trying again", lease.operation_id)

    def kill(self, lease: Lease) -> None:
        """End a step that does not listen; the operation is claimed anew in a second and ended as it must be."""
        if self.lease is not lease:
            return
        logger.error("killing a step of operation %s that did not stop (%s)", lease.operation_id, self.reason)
        claims.hurry(lease)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


heart = Heart()
