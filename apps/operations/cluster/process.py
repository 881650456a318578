"""The worker process: starts a cluster, watches that work is really done, stops it in order."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from typing import Any

from django.db import Error, close_old_connections, connection
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.scheduler import scheduler

from apps.operations import claims, nodes, offspring
from apps.operations.cluster import plumbing
from apps.operations.cluster.broker import OperationsBroker
from apps.operations.cluster.schedules import ensure_schedules
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
GRACE_SECONDS = 6.0
STUCK_SECONDS = 30.0


class Worker:
    """One node's worker: a cluster after the other, until it is told to stop.

    A cluster whose sentinel has died, or that leaves due work lying while its workers idle, is ended and replaced.
    """

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = False
        self.next_up: Lease | None = None
        self.broker = OperationsBroker()
        OperationsBroker.node = self.name

    def serve(self) -> None:
        """Run until SIGTERM or Ctrl-C."""
        plumbing.install()
        offspring.adopt()
        while not self.stopping:
            cluster = Cluster()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self.stop)  # the cluster's own handler would wait inside the signal
            connection.close()
            cluster.start()
            reason = self.watch(cluster)
            self.end(cluster, innocent=self.stopping)
            if not self.stopping:
                logger.error("%s; starting a new cluster", reason)

    def stop(self, number: int, frame: Any) -> None:
        """Remember to stop."""
        self.stopping = True

    def watch(self, cluster: Cluster) -> str:
        """Look after the cluster once a second; returns why it has to end."""
        stuck_since, scheduled = None, False
        while not self.stopping:
            time.sleep(TICK_SECONDS)
            if not cluster.sentinel.is_alive():
                return "the cluster's sentinel has died"
            try:
                close_old_connections()
                nodes.beat(self.name, workers=Conf.WORKERS)
                scheduled = scheduled or ensure_schedules()
                scheduler(broker=self.broker)
                stuck_since = (stuck_since or time.monotonic()) if self.seems_stuck() else None
            except Error:
                logger.warning("the database does not answer; trying again")
                connection.close()
            if stuck_since and time.monotonic() - stuck_since > STUCK_SECONDS:
                return "work is due and idle workers do not take it"
        return "told to stop"

    def seems_stuck(self) -> bool:
        """Tell whether the operation whose turn it is has not been taken since the last look, though workers idle."""
        before, self.next_up = self.next_up, claims.next_up()
        if self.next_up is None or self.next_up != before:
            return False
        return nodes.held_by(self.name) + self.broker.lock_size() < Conf.WORKERS

    def end(self, cluster: Cluster, *, innocent: bool) -> None:
        """End a cluster: at once no more claims, a grace period for running steps, then the rest by force."""
        if cluster.sentinel.is_alive():
            cluster.stop_event.set()
            cluster.sentinel.join(GRACE_SECONDS if innocent else 0)
        if cluster.sentinel.is_alive():
            cluster.sentinel.kill()  # and with it, all its children
            cluster.sentinel.join()
        offspring.end()  # nothing that a step has started may go on beside the one who takes it up
        try:
            connection.close()
            claims.hand_back(owner=self.name, innocent=innocent)
            if innocent:
                nodes.leave(self.name)
        except Error:
            logger.warning("the database does not answer; what was running is taken up when its lease runs out")


def serve() -> None:
    """Run this node's worker until it is told to stop."""
    Worker().serve()
