"""Whether this process can serve: its database, the tables of its version, and room to write."""

from __future__ import annotations

import time

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from apps.system.disk import database_disk_is_full, write_fault

Part = dict[str, bool | str]
MIGRATIONS_SECONDS = 60.0  # for so long tables that were found complete need no second look
UNKNOWN = "Not known without the database."

_complete_at: float | None = None


def examine() -> dict[str, Part]:
    """Look at each part: whether it is in order, and a sentence."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = missing_migrations()
        writing = write_fault() or refused_write()
    except Error as error:
        connection.close()
        fault = write_fault() if database_disk_is_full(error) else "It does not answer."
        unknown = part(False, UNKNOWN)
        return {"database": part(False, fault or "It does not answer."), "migrations": unknown, "writing": unknown}
    return {
        "database": part(True, "It answers."),
        "migrations": part(not missing, f"{missing} to apply; run `manage.py migrate`." if missing else "All applied."),
        "writing": part(writing is None, writing or "Changes can be stored."),
    }


def part(ok: bool, message: str) -> Part:
    """Describe one part."""
    return {"ok": ok, "message": message}


def missing_migrations() -> int:
    """Count the migrations that this version needs and the database has not had."""
    global _complete_at
    if _complete_at is not None and time.monotonic() - _complete_at < MIGRATIONS_SECONDS:
        return 0
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    _complete_at = None if missing else time.monotonic()
    return missing


def refused_write() -> str | None:
    """Ask PostgreSQL to change no row, which a standby refuses; SQLite would have to wait for its one writer."""
    if connection.vendor == "sqlite" or "django_migrations" not in connection.introspection.table_names():
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET applied = applied WHERE id = 0")
    except Error:
        connection.close()
        return "The database takes no changes; it may be a standby."
    return None
