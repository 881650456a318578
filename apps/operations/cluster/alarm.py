"""Waking up when work comes, rather than looking for it all the time."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection

CHANNEL = "operations_due"
LONGEST = 0.5


class Alarm:
    """Sleeps until something may have become due: told by the database, with a look each half second as the net."""

    def __init__(self) -> None:
        self.listening: Any = None
        self.version: int | None = None

    def wait(self, seconds: float) -> None:
        """Return when the database has news, or after `seconds`, half a second at most."""
        seconds = min(seconds, LONGEST)
        if connection.vendor == "postgresql":
            self.wait_for_notice(seconds)
        else:
            self.wait_for_commit(seconds)

    def wait_for_notice(self, seconds: float) -> None:
        """Listen on PostgreSQL; a trigger on the table sends the notices."""
        connection.ensure_connection()
        if self.listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self.listening = connection.connection
            return  # something may have come before we listened
        with connection.wrap_database_errors:
            for _ in self.listening.notifies(timeout=seconds, stop_after=1):
                pass

    def wait_for_commit(self, seconds: float) -> None:
        """Watch SQLite's commit counter, which costs no lock."""
        end, pause = time.monotonic() + seconds, 0.002
        while (left := end - time.monotonic()) > 0 and not self.changed():
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, 0.02)

    def changed(self) -> bool:
        """Tell whether another connection has committed since the last look."""
        with connection.cursor() as cursor:
            version = cursor.execute("PRAGMA data_version").fetchone()[0]
        changed, self.version = version != self.version, version
        return changed
