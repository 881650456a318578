"""The worker process: starts a cluster, watches that work is really done, stops it in order."""

from __future__ import annotations

import logging
import os
import secrets
import select
import signal
import socket
import time
from datetime import datetime
from typing import Any

from django.db import Error, close_old_connections, connection
from django_q.conf import Conf
from django_q.scheduler import scheduler

from apps.operations.handler_api import Lease
from apps.operations.queue import leases
from apps.operations.queue.broker import OperationsBroker
from apps.operations.worker import child_processes, django_q_patches, nodes
from apps.operations.worker.django_q_patches import Cluster
from apps.operations.worker.node_processes import NodeProcesses
from apps.operations.worker.private_folder import PrivateFolder
from apps.operations.worker.schedules import ensure_schedules
from apps.operations.worker.shared_state import PipeEvent
from apps.system.database import log_trouble
from apps.system.orphan_reaper import OrphanReaper
from apps.system.supervision import Backoff

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
DATABASE_SECONDS = 2.0
GRACE_SECONDS = 6.0
START_SECONDS = 30.0
STUCK_SECONDS = 30.0


def node_name() -> str:
    """Return a name for this node that no other has: host names repeat, and so do process ids in containers."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


class Worker:
    """One node's worker: a cluster after the other, until it is told to stop.

    A cluster whose sentinel has died, or that leaves due work lying while its workers idle, is ended and replaced,
    after a pause that grows while clusters end soon after their start.
    """

    def __init__(self) -> None:
        self.name = node_name()
        self.stopping = False
        self.told_to_stop = PipeEvent()
        self.next_up: Lease | None = None
        self.last_beat: datetime | None = None
        self.broker = OperationsBroker()
        self.folder = PrivateFolder()
        self.reaper = OrphanReaper(folder=str(self.folder.path))
        self.cluster: Any = None
        self.node_processes = NodeProcesses(self.name, self.folder.path, self.sentinel_pid)
        OperationsBroker.node = self.name

    def serve(self) -> None:
        """Run until SIGTERM or Ctrl-C. An unexpected exception is raised once all that was started has ended."""
        try:
            self.serve_clusters()
        finally:
            self.end_node_processes()
            self.folder.remove()

    def serve_clusters(self) -> None:
        """Run one cluster after the other."""
        django_q_patches.install()
        child_processes.become_subreaper()
        self.register()
        backoff = Backoff()
        while not self.stopping:
            self.ensure_reaper()
            self.node_processes.keep_alive()
            cluster = self.cluster = Cluster(self.broker)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self.stop)  # the cluster's own handler would wait inside the signal
            began = time.monotonic()
            try:
                reason = self.run(cluster)
            finally:
                self.end(cluster, is_orderly=self.stopping)
            if not self.stopping:
                pause = backoff.after(seconds=time.monotonic() - began)
                logger.error("%s; starting a new cluster in %.1f s", reason, pause)
                self.pause(pause)

    def run(self, cluster: Cluster) -> str:
        """Start a cluster and watch it; returns why it has to end."""
        connection.close()
        try:
            cluster.start()
        except OSError as error:
            return f"the cluster cannot be started ({error})"
        return self.watch(cluster)

    def register(self) -> None:
        """Store the start of the node before it claims anything: handlers rely on it after a restore."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)
        while not (self.stopping or self.last_beat):
            try:
                self.last_beat = nodes.register_heartbeat(self.name, workers=Conf.WORKERS)
            except Error as error:
                log_trouble(logger, error)
                connection.close()
                self.pause(TICK_SECONDS)

    def stop(self, number: int, frame: Any) -> None:
        """Remember to stop, and end a rest."""
        if not self.stopping:
            self.told_to_stop.set()
        self.stopping = True

    def pause(self, seconds: float) -> bool:
        """Wait, until told to stop or a step has work for a process beside the cluster; tells whether one has."""
        select.select([self.told_to_stop.reader, self.node_processes.wakeup.reader], [], [], seconds)
        return self.node_processes.wakeup.was_woken()

    def ensure_reaper(self) -> None:
        """Have an orphan reaper, outside of the tree: it must not become our own child."""
        if not self.reaper.is_alive():
            child_processes.become_subreaper(adopting=False)
            self.reaper.ensure()
        child_processes.become_subreaper()

    def watch(self, cluster: Cluster) -> str:
        """Check the cluster once a second, in the database each other second; returns why it has to end."""
        began, stuck_since, scheduled, checked_at = time.monotonic(), None, False, float("-inf")
        while not self.stopping:
            if self.pause(TICK_SECONDS):
                checked_at = float("-inf")
            if not cluster.sentinel.is_alive():
                return "the cluster's sentinel has died"
            if not cluster.start_event.is_set():
                if time.monotonic() - began > START_SECONDS:
                    return f"the cluster has not started within {START_SECONDS:g} s"
                continue
            self.ensure_reaper()
            self.node_processes.keep_alive()
            if time.monotonic() - checked_at < DATABASE_SECONDS - TICK_SECONDS / 2:
                continue
            checked_at = time.monotonic()
            try:
                close_old_connections()
                self.node_processes.start_needed()
                self.last_beat = nodes.register_heartbeat(self.name, workers=Conf.WORKERS, last=self.last_beat)
                scheduled = scheduled or ensure_schedules()
                scheduler(broker=self.broker)
                stuck_since = (stuck_since or time.monotonic()) if self.seems_stuck() else None
            except Error as error:
                log_trouble(logger, error)
                connection.close()
            if stuck_since and time.monotonic() - stuck_since > STUCK_SECONDS:
                return "work is due and idle workers do not take it"
        return "told to stop"

    def sentinel_pid(self) -> set[int]:
        """Return the id of the cluster's sentinel, if it runs."""
        sentinel = self.cluster.sentinel if self.cluster is not None else None
        return {sentinel.pid} if sentinel is not None and sentinel.is_alive() else set()

    def end_node_processes(self) -> None:
        """Ask the processes beside the cluster to end, and end what is left of them."""
        self.node_processes.terminate()
        self.node_processes.wait(time.monotonic() + GRACE_SECONDS)
        child_processes.kill_all()

    def seems_stuck(self) -> bool:
        """Tell whether the operation whose turn it is has not been taken since the last look, though workers idle."""
        before, self.next_up = self.next_up, leases.peek_next()
        if self.next_up is None or self.next_up != before:
            return False
        return nodes.count_held(self.name) + self.broker.lock_size() < Conf.WORKERS

    def end(self, cluster: Cluster, *, is_orderly: bool) -> None:
        """End a cluster: stop claiming, wait for running steps if the stop was requested, then kill what is left."""
        if is_orderly:
            self.node_processes.terminate()
        sentinel = cluster.sentinel
        if sentinel is not None and sentinel.is_alive():
            cluster.stop_event.set()
            sentinel.join(GRACE_SECONDS if is_orderly else 0)
            if sentinel.is_alive():
                sentinel.kill()  # and with it, all its children
                sentinel.join()
        # What a step has started must not run beside its repetition.
        child_processes.kill_all(but=self.node_processes.pids())
        try:
            connection.close()
            leases.release_all(owner=self.name, count_as_crash=not is_orderly)
            if is_orderly:
                nodes.unregister(self.name)
        except Error as error:
            log_trouble(logger, error, "%s; running operations are claimed again when their leases run out")


def serve() -> None:
    """Run this node's worker until it is told to stop."""
    Worker().serve()
