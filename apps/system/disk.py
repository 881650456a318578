"""Full and read-only disks, reported as such instead of as a database that does not answer."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

FULL = {errno.ENOSPC, errno.EDQUOT}
POSTGRESQL_DISK_FULL = "53100"
SQLITE_TROUBLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
TEST_BYTES = 64 * 1024
REMEMBERED_SECONDS = 30.0
DATABASE_FULL = "The disk of the database is full; nothing can be changed until there is space."

_database_full_at: float | None = None


def database_disk_is_full(error: BaseException) -> bool:
    """Tell whether a database error means that its disk is full; readiness remembers it for half a minute.

    SQLite's codes: https://www.sqlite.org/rescode.html; it also says that it cannot open or extend a file beside the
    database. PostgreSQL's: https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    global _database_full_at
    cause = error.__cause__ or error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    full = getattr(cause, "sqlstate", None) == POSTGRESQL_DISK_FULL or code == sqlite3.SQLITE_FULL
    if not full and code in SQLITE_TROUBLE:
        full = folder_fault("the database", sqlite_folder()) is not None
    if full:
        _database_full_at = time.monotonic()
    return full


def write_fault() -> str | None:
    """Return a sentence that names the disk that is full or cannot be written, or None."""
    if _database_full_at is not None and time.monotonic() - _database_full_at < REMEMBERED_SECONDS:
        return DATABASE_FULL
    if connection.vendor == "sqlite" and (fault := folder_fault("the database", sqlite_folder())):
        return fault
    return folder_fault("VAR_DIR", Path(settings.VAR_DIR))


def folder_fault(name: str, folder: Path) -> str | None:
    """Try to write a file in the folder; return what is wrong, or None."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".write-test-") as file:
            file.write(b"\0" * TEST_BYTES)
            file.flush()
    except OSError as error:
        if error.errno in FULL:
            return f"The disk of {name} is full; nothing can be changed until there is space."
        return f"The folder of {name} cannot be written: {error.strerror}."
    return None


def sqlite_folder() -> Path:
    """Return the folder of the SQLite file."""
    return Path(str(settings.DATABASES["default"]["NAME"])).absolute().parent
