"""Write a run's progress: log lines of its operation and the run's own row, under the run's lease."""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

from django.db import Error, connection, transaction

from apps.operations import events
from apps.operations.models import Operation
from apps.system.database import described, repeated
from apps.system.sql_time import Now
from apps.taskservs.ansible import queue
from apps.taskservs.ansible.queue import RunLease
from apps.taskservs.ansible.report import Line, Report

logger = logging.getLogger(__name__)
FLUSH_SECONDS, RETRY_SECONDS = 0.2, 0.5
STEP_SECONDS = 5.0
LINES_AT_ONCE = 500


class LeaseLost(Exception):  # noqa: N818 - named for the fact
    """Somebody else has ended the run, or its lease has run out."""


class Writer:
    """Writes what the report has to say, a few times a second at most.

    The operation's log is numbered by who holds its row. A step of it that is under way may end with a statement that
    numbers its own line, so lines are kept back until it is over: such steps are short.
    """

    def __init__(self, lease: RunLease, operation_id: UUID, report: Report):
        self.lease, self.operation_id, self.report = lease, operation_id, report
        self.written_at = 0.0
        self.lines: list[Line] = []

    def flush_if_due(self) -> None:
        """Write if the last time was long enough ago. Raises LeaseLost."""
        if time.monotonic() - self.written_at >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write all lines that there are, and the progress; what the database does not take now is kept.

        Raises LeaseLost.
        """
        self.written_at = time.monotonic()
        self.lines += self.report.take_lines()
        kept = self.lines
        try:
            if kept:
                repeated(self.write_progress)
        except Error as error:
            self.lines = kept
            logger.warning("%s; progress of Ansible run %s is kept", described(error), self.lease.run_id)
            connection.close()

    @transaction.atomic
    def write_progress(self) -> None:
        """Write lines and progress, unless a step of the operation is under way."""
        columns = {"tasks_done": self.report.done, "tasks_total": self.report.total, "hosts": self.report.hosts}
        if not queue.owned_by(self.lease).update(**columns):
            raise LeaseLost
        self.write_lines(wait=True)

    def write_lines(self, *, wait: bool) -> None:
        """Append the lines to the operation's log, its row locked; those of one that is over are dropped."""
        mine = Operation.objects.filter(pk=self.operation_id)
        if wait and not mine.filter(lease_owner="").update(updated_at=Now()):
            return
        if not wait:
            mine.update(updated_at=Now())
        if operation := mine.filter(due_at__isnull=False).first():
            for first in range(0, len(self.lines), LINES_AT_ONCE):
                some = self.lines[first : first + LINES_AT_ONCE]
                events.append_all(operation, [(line.level, line.message, line.data) for line in some])
        self.lines = []

    def finish(self, state: str, **result: Any) -> None:
        """Record what the run came to, with the last lines, however long the database is away. Raises LeaseLost."""
        self.lines += self.report.take_lines()
        kept, began = self.lines, time.monotonic()
        while True:
            try:
                if time.monotonic() - began > STEP_SECONDS or not self.step_is_under_way():
                    return repeated(lambda: self.write_end(state, result))
            except Error as error:
                self.lines = kept
                logger.warning("%s; the end of Ansible run %s is kept", described(error), self.lease.run_id)
                connection.close()
                time.sleep(RETRY_SECONDS)
            time.sleep(0.02)

    def step_is_under_way(self) -> bool:
        """Tell whether a worker holds the operation."""
        return Operation.objects.filter(pk=self.operation_id).exclude(lease_owner="").exists()

    @transaction.atomic
    def write_end(self, state: str, result: dict[str, Any]) -> None:
        """Write the end and the lines at once. Raises LeaseLost."""
        if not queue.finish(self.lease, state=state, **self.report.as_columns(), **result):
            raise LeaseLost
        self.write_lines(wait=False)
