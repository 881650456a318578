"""The runner of a node: claims queued runs, does several at once, renews their leases, and stops those that must."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, close_old_connections, connection
from django.db.models import F, Q

from apps.operations.queue.leases import lease_seconds
from apps.operations.queue.wakeup import WakeUp
from apps.operations.worker import child_processes
from apps.system.database import log_trouble
from apps.taskservs.ansible import process, queue
from apps.taskservs.ansible.execution import Execution
from apps.taskservs.models import AnsibleRun

logger = logging.getLogger(__name__)
LOOK_SECONDS, IDLE_SECONDS, PAUSE_SECONDS, STOP_SECONDS = 0.5, 1.0, 0.1, 5.5
REST_SECONDS = 30.0  # without work, after which it ends: waiting costs a node 12 MB and more time than all else


class Runner:
    """Does the runs of one node, each in a thread, until it is told to stop or has had nothing to do for a while."""

    def __init__(self, node: str, folder: Path):
        self.node, self.folder = node, folder
        self.executions: list[Execution] = []
        self.renewed: dict[Execution, float] = {}
        self.stopping, self.worked_at = False, time.monotonic()
        self.alarm, self.reaper = WakeUp(queue.CHANNEL), process.Reaper()

    def serve(self) -> None:
        """Run until nothing is to be done. At SIGTERM, end what runs, here and on the servers: others take it up."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        child_processes.become_subreaper()
        while not self.stopping and time.monotonic() - self.worked_at < REST_SECONDS:
            try:
                close_old_connections()
                self.look()
                self.alarm.wait(LOOK_SECONDS if self.executions else IDLE_SECONDS)
                time.sleep(0 if self.stopping else PAUSE_SECONDS)  # commits come in crowds
            except Error as error:
                log_trouble(logger, error, "the Ansible runner: %s; trying again")
                connection.close()
                self.give_up_expired()
                time.sleep(LOOK_SECONDS)
        self.shut_down()

    def on_signal(self, number: int, frame: Any) -> None:
        """Remember to stop."""
        self.stopping = True

    def look(self) -> None:
        """Look after the runs that are under way, then take others while there is room."""
        self.forget_ended()
        self.renew_leases()
        self.stop_cancelled()
        has_work = queue.has_work()
        if has_work or self.executions:
            self.worked_at = time.monotonic()
        if not has_work:
            return
        queue.mark_lost()
        now = time.monotonic()
        for lease in queue.claim(owner=self.node, max_count=settings.ANSIBLE_RUNS - len(self.executions)):
            execution = Execution(lease, self.folder)
            self.executions.append(execution)
            self.renewed[execution] = now
            execution.thread.start()

    def forget_ended(self) -> None:
        """Let go of the runs that are over, and of the processes that they have left to this one."""
        ended = [each for each in self.executions if not each.thread.is_alive()]
        for execution in ended:
            self.executions.remove(execution)
            del self.renewed[execution]
        self.reaper.look(but={each.pid for each in self.executions})

    def renew_leases(self) -> None:
        """Renew the leases of which a third has passed; a run whose lease is lost is given up."""
        for execution in self.executions:
            now = time.monotonic()
            if now - self.renewed[execution] < lease_seconds() / 3:
                continue
            if queue.renew(execution.lease):
                self.renewed[execution] = now
            elif execution.thread.is_alive():
                execution.stop("lost")

    def give_up_expired(self) -> None:
        """Give up the runs whose lease may have run out while the database was away: another node may begin them."""
        margin = min(2.0, lease_seconds() / 4)
        for execution in self.executions:
            if time.monotonic() - self.renewed[execution] > lease_seconds() - margin:
                execution.stop("lost")

    def stop_cancelled(self) -> None:
        """Stop the runs that were asked to, and those whose operation was cancelled after them or has ended."""
        if not self.executions:
            return
        cancelled = Q(operation__cancel_requested_at__gte=F("created_at"))
        to_stop = Q(stop_requested_at__isnull=False) | Q(operation__due_at=None) | cancelled
        mine = AnsibleRun.objects.filter(pk__in=[each.lease.run_id for each in self.executions])
        ids = set(mine.filter(to_stop).values_list("id", flat=True))
        for execution in self.executions:
            if execution.lease.run_id in ids:
                execution.stop("asked")

    def shut_down(self) -> None:
        """Stop all runs, wait for them within the time that a node has to stop, then kill what is left."""
        until = time.monotonic() + STOP_SECONDS
        for execution in self.executions:
            execution.stop("shutdown")
        for execution in self.executions:
            execution.thread.join(max(0.0, until - time.monotonic()))
        child_processes.kill_all()
        connection.close()
        if any(each.thread.is_alive() for each in self.executions):
            os._exit(1)  # a thread that still waits for a server must not keep the node


def run(node: str, folder: Path) -> None:
    """Be the runner of a node."""
    Runner(node, folder).serve()
