"""Waking up when work comes, rather than looking for it all the time."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection

from apps.operations.queue.file_changes import FileChanges

CHANNEL = "operations_due"
LONGEST = 0.5
LONGEST_WATCHING = 1.0
COUNTER_LAG_SECONDS = 0.1


class WakeUp:
    """Sleeps until an operation may have become due: notified by the database, or after a while without a notice."""

    def __init__(self, channel: str = CHANNEL) -> None:
        self.channel = channel  # of PostgreSQL's notices
        self.listening: Any = None
        self.version: int | None = None
        self.log: FileChanges | None = None

    def wait(self, seconds: float) -> None:
        """Return when the database has news, or after `seconds`, half a second or a second at most."""
        if connection.vendor == "postgresql":
            self.wait_for_notice(min(seconds, LONGEST))
        else:
            self.wait_for_commit(seconds)

    def wait_for_notice(self, seconds: float) -> None:
        """Listen on PostgreSQL; for operations, a trigger on the table sends the notices."""
        connection.ensure_connection()
        if self.listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {self.channel}")
            self.listening = connection.connection
            return  # something may have come before we listened
        with connection.wrap_database_errors:
            for _ in self.listening.notifies(timeout=seconds, stop_after=1):
                pass

    def wait_for_commit(self, seconds: float) -> None:
        """Watch SQLite's commit counter, which costs no lock: after each write to its log, or else all the time."""
        log = self.write_ahead_log()  # watched before the counter is read
        end = time.monotonic() + min(seconds, LONGEST_WATCHING if log else LONGEST)
        while (left := end - time.monotonic()) > 0 and not self.changed():
            if log is None:
                self.poll(end)
            elif log.wait(left):  # the counter follows the write a moment later
                self.poll(min(end, time.monotonic() + COUNTER_LAG_SECONDS))
            log = self.write_ahead_log()

    def poll(self, end: float) -> None:
        """Look at the commit counter in short intervals that grow, until it has changed or the time has come."""
        pause = 0.001
        while (left := end - time.monotonic()) > 0 and not self.has_news():
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, 0.02)

    def write_ahead_log(self) -> FileChanges | None:
        """Return the notices of writes to the database's log; None where there are none to be had."""
        if self.log is None or not self.log.is_current():
            self.log = None
            with suppress(OSError):
                self.log = FileChanges(Path(f"{connection.settings_dict['NAME']}-wal"))
        return self.log

    def has_news(self) -> bool:
        """Tell whether another connection has committed since the last call of `changed`."""
        return self.read_version() != self.version

    def changed(self) -> bool:
        """Tell whether another connection has committed since the last look."""
        version = self.read_version()
        changed, self.version = version != self.version, version
        return changed

    def read_version(self) -> int:
        """Return SQLite's commit counter."""
        with connection.cursor() as cursor:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
