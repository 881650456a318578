"""The heartbeat: one thread a worker process, which keeps the running step's lease and ends a step that must stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, close_old_connections

from apps.operations import claims
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 3.0


class Interrupted(BaseException):
    """The running step was told to stop: `reason` is `lost`, `cancelled` or `overdue`."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Heart:
    """Guards one step at a time.

    While a step runs, its lease is renewed each third of its length and its row looked at each half second. A step that
    has lost its lease, is to be cancelled or is past its deadline is interrupted by an exception in the main thread.
    One that does not end within three seconds of that is killed with all it has started, its process group.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.lease: Lease | None = None
        self.reason = ""

    @contextmanager
    def keeps(self, lease: Lease) -> Iterator[None]:
        """Guard the block; raises Interrupted in it."""
        if self.pid != os.getpid():
            self.start()
        self.lease = lease
        try:
            yield
        finally:
            self.lease = None

    def start(self) -> None:
        """Start the thread, once in each process; only a main thread can be interrupted."""
        self.pid = os.getpid()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self.interrupt)
            threading.Thread(target=self.watch, name="heartbeat", daemon=True).start()

    def interrupt(self, number: int, frame: Any) -> None:
        """Raise in the main thread, if the step is still running."""
        if self.lease is not None:
            raise Interrupted(self.reason)

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
                    told, self.reason = time.monotonic(), reason
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
