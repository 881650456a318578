"""Django-q2's broker over our table: due operations first, then django-q2's own tasks."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import BadSignature, SignedPackage

from apps.operations.handler_api import Lease
from apps.operations.queue import leases
from apps.operations.queue.wakeup import WakeUp
from apps.operations.worker import connections, nodes, runner
from apps.operations.worker.shared_state import PipeEvent
from apps.system.database import log_trouble

logger = logging.getLogger(__name__)
TASKS_SECONDS = 0.4
BLOCKED_SECONDS = 0.05  # until what is due is looked at again: it waits at a limit, or another node is claiming it
REST_SECONDS = 0.05
LEFT_SECONDS = 5


class OperationsBroker(ORM):
    """Claims due operations as django-q2 tasks; the operation's row stays the only record of them.

    Operations need no enqueue (the row is the queue entry) and no acknowledgement (the runner records the outcome).
    What is put in with `async_task` and schedules goes through django-q2's own table, as shipped.
    """

    node = ""
    checked_at = 0.0
    alarm: WakeUp | None = None

    def take(self, *, until: PipeEvent, max_count: int) -> list[dict[str, Any]]:
        """Return the next tasks, ready to be run; waits for them, and returns none once `until` is set.

        A claim costs the database ten times as much as to ask when the next operation is due.
        """
        self.alarm, begun_at = self.alarm or WakeUp(), time.monotonic()
        while not until.is_set():
            try:
                connections.refresh()
                seconds = leases.seconds_to_next()
                if tasks := self.due(max_count if seconds <= 0 else 0):
                    return tasks
                self.alarm.wait(seconds if seconds > 0 else BLOCKED_SECONDS)
                if time.monotonic() - begun_at > REST_SECONDS:
                    max_count = Conf.WORKERS  # what comes after a rest may take long
            except Error as error:
                log_trouble(logger, error)
                connection.close()
                time.sleep(0.5)
        return []

    def unpacked(self, tasks: list[tuple[Any, str]]) -> Iterator[dict[str, Any]]:
        """Return tasks as the workers take them, without those that this version does not know.

        One that was signed with another key is thrown away.
        """
        for ack_id, signed in tasks:
            try:
                task = {**SignedPackage.loads(signed), "cluster": Conf.CLUSTER_NAME, "ack_id": ack_id}
            except (TypeError, BadSignature):
                logger.error("task %s in the queue is not signed with this installation's key", ack_id)
                self.fail(ack_id)
                continue
            if is_known(task["func"]):
                yield task
            else:
                self.leave_to_other_nodes(ack_id, task["func"])

    def leave_to_other_nodes(self, ack_id: Any, function: str) -> None:
        """Leave a task that this version does not know to a node of another one; drop it when there is none."""
        if nodes.live().exclude(version=settings.VERSION).exists():
            again = timezone.now() + timedelta(seconds=LEFT_SECONDS)
            self.get_connection().filter(pk=ack_id).update(lock=again)
            logger.info("%s is not known to version %s; left to other nodes", function, settings.VERSION)
        else:
            logger.warning("%s is not known to version %s; dropped", function, settings.VERSION)
            self.acknowledge(ack_id)

    def release_unstarted(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let go of operations that no worker has begun; returns django-q2's own tasks, which stay where they are."""
        claimed = [Lease(uuid.UUID(task["args"][0]), task["args"][1]) for task in tasks if task["func"] is runner.run]
        try:
            for lease in claimed:
                leases.release_unstarted(lease)
        except Error as error:
            log_trouble(logger, error, "%s; what is held is taken up when its lease runs out")
            connection.close()
        return [task for task in tasks if task["func"] is not runner.run]

    def due(self, max_count: int) -> list[dict[str, Any]]:
        """Return up to so many operations, or none, and twice a second django-q2's own tasks."""
        tasks = [task_for(lease) for lease in leases.claim(owner=self.node, max_count=max_count)] if max_count else []
        if time.monotonic() - self.checked_at > TASKS_SECONDS:
            self.checked_at = time.monotonic()
            tasks += self.unpacked(self.dequeue() or [])
        return tasks


def is_known(function: Any) -> bool:
    """Tell whether this version has the function that a task calls."""
    if callable(function):
        return True
    try:
        return callable(import_string(function))
    except ImportError:
        return False


def task_for(lease: Lease) -> dict[str, Any]:
    """Return the task that runs one step under the lease; its time limit is the engine's own business."""
    return {
        "id": uuid.uuid4().hex,
        "name": str(lease.operation_id),
        "func": runner.run,
        "args": (str(lease.operation_id), lease.fence),
        "kwargs": {},
        "started": timezone.now(),
        "timeout": -1,
        "cluster": Conf.CLUSTER_NAME,
        "ack_id": None,
    }
