"""Operations by outcome, by the hour of their creation; hours in which nothing changes any more are counted once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

OUTCOMES = ("completed", "failed", "cancelled")
HOUR = timedelta(hours=1)
# So long after its end, an hour may still get operations: from open transactions, and from nodes whose clocks are slow.
SETTLING = timedelta(minutes=10)
KEPT_SECONDS = 3600  # retention deletes operations of settled hours

# Each count is one range of an index: grouping by a part of the time would read and sort all of them.
COUNT = (
    "(SELECT COUNT(*) FROM operations_operation AS operation WHERE operation.status = '{status}' "
    "AND operation.created_at >= span.column2 AND operation.created_at < span.column3)"
)
UNFINISHED = (
    "EXISTS (SELECT 1 FROM operations_operation AS operation WHERE operation.status IN ('pending', 'running') "
    "AND operation.created_at >= span.column2 AND operation.created_at < span.column3)"
)
QUERY = "SELECT {columns} FROM (VALUES {spans}) AS span"
Counts = dict[str, int]


class HourlyOutcomes:
    """The counts of hours, with those of settled hours kept for a while in this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Count all hours anew."""
        self.settled: dict[datetime, Counts] = {}
        self.since = time.monotonic()

    def of(self, hours: Sequence[datetime]) -> list[Counts]:
        """Return how many operations were created in each hour, by outcome; one query. `hours` are their beginnings."""
        if time.monotonic() - self.since > KEPT_SECONDS:
            self.forget()
        known = dict(self.settled)
        asked, before = [hour for hour in hours if hour not in known], timezone.now() - SETTLING
        for hour, counts, is_unfinished in count(asked):
            known[hour] = counts
            if hour + HOUR <= before and not is_unfinished:
                self.settled[hour] = counts
        return [known[hour] for hour in hours]


def count(hours: Sequence[datetime]) -> list[tuple[datetime, Counts, bool]]:
    """Count the operations of hours, and tell of each whether it has unfinished ones."""
    if not hours:
        return []
    adapt = connection.ops.adapt_datetimefield_value
    spans = [value for number, hour in enumerate(hours) for value in (number, adapt(hour), adapt(hour + HOUR))]
    columns = ", ".join(["span.column1", *(COUNT.format(status=status) for status in OUTCOMES), UNFINISHED])
    with connection.cursor() as cursor:
        cursor.execute(QUERY.format(columns=columns, spans=", ".join(["(%s, %s, %s)"] * len(hours))), spans)
        return [
            (hours[number], dict(zip(OUTCOMES, found, strict=True)), bool(is_unfinished))
            for number, *found, is_unfinished in cursor.fetchall()
        ]


hourly = HourlyOutcomes()
