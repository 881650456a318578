"""Django-q2's broker over our table: due operations first, then django-q2's own tasks."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.db import Error, close_old_connections, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import BadSignature, SignedPackage

from apps.operations import claims
from apps.operations.cluster.alarm import Alarm
from apps.operations.cluster.plumbing import Flag
from apps.operations.steps import Lease

logger = logging.getLogger(__name__)
RUN = "apps.operations.runner.run"
TASKS_SECONDS = 0.5


class OperationsBroker(ORM):
    """Claims due operations as django-q2 tasks; the operation's row stays the only record of them.

    Operations need no enqueue (the row is the queue entry) and no acknowledgement (the runner records the outcome).
    What is put in with `async_task` and schedules goes through django-q2's own table, as shipped.
    """

    node = ""
    looked_at = 0.0

    def take(self, *, until: Flag) -> list[dict[str, Any]]:
        """Return the next tasks, ready to be run; waits for them, and returns none once `until` is set."""
        alarm = Alarm()
        while not until.is_set():
            try:
                close_old_connections()
                if tasks := self.dequeue():
                    return list(self.unpacked(tasks))
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
        leases = [Lease(uuid.UUID(task["args"][0]), task["args"][1]) for task in tasks if task["func"] == RUN]
        try:
            for lease in leases:
                claims.give_back(lease)
        except Error:
            logger.warning("the database does not answer; what is held is taken up when its lease runs out")
            connection.close()
        return [task for task in tasks if task["func"] != RUN]

    def dequeue(self) -> list[tuple[Any, str]]:
        """Return up to as many operations as there are workers, or none.

        Django-q2's own tasks come when no operation is due, and each half second though some are.
        """
        tasks = [(None, package(lease)) for lease in claims.claim(owner=self.node, most=Conf.WORKERS)]
        if not tasks or time.monotonic() - self.looked_at > TASKS_SECONDS:
            self.looked_at = time.monotonic()
            tasks += super().dequeue() or []
        return tasks


def package(lease: Lease) -> str:
    """Return the signed task that runs one step under the lease; its time limit is the engine's own business."""
    task = {
        "id": uuid.uuid4().hex,
        "name": str(lease.operation_id),
        "func": RUN,
        "args": (str(lease.operation_id), lease.fence),
        "kwargs": {},
        "started": timezone.now(),
        "timeout": -1,
    }
    return SignedPackage.dumps(task)
