"""What a database's error means: no connection, a conflict with another transaction, a broken constraint or a bug."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from logging import Logger
from typing import Any, TypeVar

from django.apps import apps
from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import UniqueConstraint

from apps.system.disk import database_disk_is_full
from apps.system.errors import DomainError

T = TypeVar("T")
# PostgreSQL's error classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock
UNAVAILABLE = ("08", "53", "57P", "58")  # connection, resources, shutdown, system
MAX_ATTEMPTS = 3


def sqlstate(error: Error) -> str:
    """Return PostgreSQL's code of the error; empty when the server said none, as when there is no connection."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def is_conflict(error: BaseException) -> bool:
    """Tell whether the database ended the transaction in favor of another: it may be repeated at once."""
    return isinstance(error, OperationalError) and sqlstate(error) in CONFLICTS


def is_unavailable(error: BaseException) -> bool:
    """Tell whether the database cannot be reached or cannot work now; a statement that can never work is a bug."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    sqlite_name = getattr(error.__cause__, "sqlite_errorname", None)
    if sqlite_name is not None:
        return sqlite_name != "SQLITE_ERROR"  # a missing table, a mistake in a statement
    state = sqlstate(error)
    return not state or state.startswith(UNAVAILABLE)


def described(error: Error) -> str:
    """Say in the log's words what the error means."""
    if database_disk_is_full(error):
        return "the disk of the database is full"
    if is_unavailable(error):
        return "the database does not answer"
    return "the database refused a statement"


def log_trouble(logger: Logger, error: Error, text: str = "%s; trying again") -> None:
    """Log an error in one line, for loops meet it again and again; where it was raised is logged of a bug only."""
    reason = str(error).strip().partition("\n")[0]
    what = f"{described(error)} ({reason[:200]})" if reason else described(error)
    logger.warning(text, what, exc_info=not (is_unavailable(error) or is_conflict(error)))


def repeated(transaction: Callable[[], T]) -> T:
    """Call a function that is one transaction, again when a conflict ended it, three times in all."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return transaction()
        except OperationalError as error:
            if not is_conflict(error):
                raise
    return transaction()


# ── prepared statements ───────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """Give a cursor whose statements PostgreSQL parses and plans once for the connection; on SQLite, any cursor.

    For a worker's most frequent statements only: it keeps its connection, which a pooler may not give to others between
    two statements, and calls `forget_plans`. What they return must not change from one version to the next, or they go
    through `fetch_prepared`.
    """
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor
        return
    import psycopg

    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw = connection.connection
    raw.prepare_threshold = 1  # Django's own cursors bind on the client's side, and never prepare
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        yield cursor


def fetch_prepared(statement: str, values: dict[str, Any]) -> Any:
    """Run a prepared statement and return its row, or None; prepared anew where a migration changed what it returns."""
    try:
        with prepared_cursor() as cursor:
            return cursor.execute(statement, values).fetchone()
    except NotSupportedError:  # "cached plan must not change result type"
        if connection.in_atomic_block:
            raise
        connection.close()
    with prepared_cursor() as cursor:
        return cursor.execute(statement, values).fetchone()


def forget_plans() -> None:
    """Let PostgreSQL plan prepared statements anew: a plan for a small table does not do when it has grown."""
    if connection.vendor == "postgresql" and connection.connection is not None and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("DISCARD PLANS")


def breaks(error: IntegrityError, *constraints: str) -> bool:
    """Tell whether the error is the violation of one of these unique constraints, by their names on PostgreSQL."""
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics is not None:
        return diagnostics.constraint_name in constraints
    return str(error) in {f"UNIQUE constraint failed: {sqlite_name(name)}" for name in constraints}


@cache
def sqlite_name(constraint: str) -> str:
    """Return what SQLite calls a unique constraint in its error: its columns, or its index. Raises LookupError."""
    for model in apps.get_models():
        table = model._meta.db_table
        for field in model._meta.local_fields:
            if field.unique and constraint == f"{table}_{field.column}_key":
                return f"{table}.{field.column}"
        for each in model._meta.constraints:
            if isinstance(each, UniqueConstraint) and each.name == constraint:
                columns = [field.column for field in model._meta.local_fields if field.name in each.fields]
                return ", ".join(f"{table}.{column}" for column in columns) or f"index '{constraint}'"
    raise LookupError(constraint)


@contextmanager
def integrity_error_as(error: DomainError, *constraints: str) -> Iterator[None]:
    """Raise `error` when the block breaks one of these unique constraints; any other that it breaks is a bug."""
    try:
        with transaction.atomic(savepoint=False):
            yield
    except IntegrityError as broken:
        if not breaks(broken, *constraints):
            raise
        raise error from broken
