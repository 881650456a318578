"""The watermark of the log: the id up to which it is settled, so that no line with a lower id can appear any more."""

from __future__ import annotations

import time

from django.db import connection

LAST = "SELECT coalesce(max(id), 0) FROM operations_event"
# A statement takes its snapshot before its own transaction gets an id, so every transaction that had one is older.
FENCE = f"SELECT ({LAST}), pg_current_xact_id()::text::bigint"  # noqa: S608 - constants only
OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
PAUSES = (0.0, 0.01, 0.02, 0.04)


def last_id() -> int:
    """Return the highest id that can be seen, settled or not."""
    with connection.cursor() as cursor:
        cursor.execute(LAST)
        return cursor.fetchone()[0]


class Watermark:
    """Follows the highest settled id, the low watermark of the log.

    PostgreSQL gives out ids before transactions commit, so a lower one may appear after a higher one. A line is settled
    once every transaction that was open when the line was seen has ended. This holds because a transaction writes to
    the operation's row, and so has an id of its own, before it takes the id of a line. SQLite has one writer at a time.
    """

    def __init__(self) -> None:
        self.id = -1
        self.seen = -1
        self.fence = 0

    def poll(self) -> int:
        """Return the highest settled id; -1 while it is not known yet."""
        if connection.vendor == "sqlite":
            self.id = last_id()
            return self.id
        with connection.cursor() as cursor:
            if self.seen == self.id:
                if self.id >= 0 and last_id() <= self.id:
                    return self.id
                cursor.execute(FENCE)
                self.seen, self.fence = cursor.fetchone()
            for pause in PAUSES:
                time.sleep(pause)
                cursor.execute(OLDEST)
                if cursor.fetchone()[0] >= self.fence:
                    self.id = self.seen
                    break
        return self.id
