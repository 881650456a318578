"""Django-q2's broker over our table: due operations first, then django-q2's own tasks."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.db import Error, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import BadSignature, SignedPackage

from apps.operations import claims, runner
from apps.operations.cluster import connections
from apps.operations.cluster.alarm import Alarm
from apps.operations.cluster.plumbing import Flag
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)
TASKS_SECONDS = 0.5


class OperationsBroker(ORM):
    """Claims due operations as django-q2 tasks; the operation's row stays the only record of them.

    Operations need no enqueue (the row is the queue entry) and no acknowledgement (the runner records the outcome).
    What is put in with `async_task` and schedules goes through django-q2's own table, as shipped.
    """

    node = ""
    looked_at = 0.0

    def take(self, *, until: Flag, most: int) -> list[dict[str, Any]]:
        """Return the next tasks, ready to be run; waits for them, and returns none once `until` is set."""
        alarm = Alarm()
        while not until.is_set():
            try:
                connections.refresh()
                if tasks := self.due(most):
                    return tasks
                most = Conf.WORKERS  # what comes after a rest may take long
                alarm.wait(claims.seconds_to_next())
            except Error:
                logger.warning("the database does not answer; trying again")
                connection.close()
                time.sleep(0.5)
        return []

    def unpacked(self, tasks: list[tuple[Any, str]]) -> Iterator[dict[str, Any]]:
        """Return tasks as the workers take them; one that was signed with another key is thrown away."""
        for ack_id, signed in tasks:
            try:
                yield {**SignedPackage.loads(signed), "cluster": Conf.CLUSTER_NAME, "ack_id": ack_id}
            except (TypeError, BadSignature):
                logger.error("task %s in the queue is not signed with this installation's key", ack_id)
                self.fail(ack_id)

    def give_back(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let go of operations that no worker has begun; returns django-q2's own tasks, which stay where they are."""
        leases = [Lease(uuid.UUID(task["args"][0]), task["args"][1]) for task in tasks if task["func"] is runner.run]
        try:
            for lease in leases:
                claims.give_back(lease)
        except Error:
            logger.warning("the database does not answer; what is held is taken up when its lease runs out")
            connection.close()
        return [task for task in tasks if task["func"] is not runner.run]

    def due(self, most: int) -> list[dict[str, Any]]:
        """Return up to so many operations, or none.

        Django-q2's own tasks come when no operation is due, and each half second though some are.
        """
        tasks = [task_for(lease) for lease in claims.claim(owner=self.node, most=most)]
        if not tasks or time.monotonic() - self.looked_at > TASKS_SECONDS:
            self.looked_at = time.monotonic()
            tasks += self.unpacked(self.dequeue() or [])
        return tasks


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
