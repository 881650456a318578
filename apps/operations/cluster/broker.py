"""Django-q2's broker over our table: due operations first, then django-q2's own tasks."""

from __future__ import annotations

import os
import socket
import uuid
from typing import Any

from django.db import close_old_connections
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from apps.operations import transitions
from apps.operations.steps import Lease

RUN = "apps.operations.runner.run"


class OperationsBroker(ORM):
    """Claims due operations as django-q2 tasks; the operation's row stays the only record of them.

    Operations need no enqueue (the row is the queue entry) and no acknowledgement (the runner records the outcome).
    What is put in with `async_task` and schedules goes through django-q2's own table, as shipped.
    """

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return up to `bulk` tasks; without any, sleep for `poll` seconds and return None."""
        close_old_connections()
        leases = transitions.claim(owner=f"{socket.gethostname()}:{os.getpid()}", most=Conf.BULK)
        return [(None, package(lease)) for lease in leases] or super().dequeue()


def package(lease: Lease) -> str:
    """Return the signed task that runs one step under the lease."""
    task = {
        "id": uuid.uuid4().hex,
        "name": str(lease.operation_id),
        "func": RUN,
        "args": (str(lease.operation_id), lease.fence),
        "kwargs": {},
        "started": timezone.now(),
    }
    return SignedPackage.dumps(task)
