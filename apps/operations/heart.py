"""The heartbeat: keeps the lease of the running step alive, from one thread a worker process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import Error, close_old_connections

from apps.operations import transitions
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)


class Heart:
    """Renews one lease at a time, each third of its length; a failed renewal is tried again at the next beat."""

    def __init__(self) -> None:
        self.pid = 0
        self.lease: Lease | None = None

    @contextmanager
    def keeps(self, lease: Lease) -> Iterator[None]:
        """Renew the lease for as long as the block runs."""
        if self.pid != os.getpid():
            self.pid = os.getpid()
            threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self.lease = lease
        try:
            yield
        finally:
            self.lease = None

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(settings.OPERATIONS["lease_seconds"] / 3):
            lease = self.lease
            if lease is None:
                continue
            close_old_connections()
            try:
                transitions.renew(lease)
            except Error:
                logger.warning("could not renew the lease of %s; trying again", lease.operation_id)


heart = Heart()
