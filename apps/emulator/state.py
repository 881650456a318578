"""The cloud's memory: one SQLite file, shared by every process and thread that serves the emulator.

Nothing here runs in the background: what takes time is stored as timestamps and worked out when somebody looks.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.conf import settings

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS servers (
    uuid TEXT PRIMARY KEY, created REAL NOT NULL, doc TEXT NOT NULL, phases TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS labels (server TEXT NOT NULL, key TEXT NOT NULL COLLATE NOCASE, value TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS labels_of ON labels (server);
CREATE INDEX IF NOT EXISTS labels_by ON labels (key, value);
CREATE TABLE IF NOT EXISTS disks (
    uuid TEXT PRIMARY KEY, server TEXT, created REAL NOT NULL, online REAL NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS disks_of ON disks (server);
CREATE TABLE IF NOT EXISTS addresses (address TEXT PRIMARY KEY, kind TEXT NOT NULL, server TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS charges (what TEXT NOT NULL, hourly REAL NOT NULL, since REAL NOT NULL, until REAL) STRICT;
CREATE TABLE IF NOT EXISTS knobs (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS faults (id INTEGER PRIMARY KEY, rule TEXT NOT NULL, times INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, event TEXT NOT NULL, server TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS calls (
    method TEXT NOT NULL, path TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (method, path)) STRICT;
"""
TABLES = ["servers", "labels", "disks", "addresses", "counters", "charges", "knobs", "faults", "ledger", "calls"]


@contextmanager
def reading() -> Iterator[sqlite3.Connection]:
    """Open the state for looking: everything seen is of one moment."""
    with closing(connect()) as db:
        db.execute("BEGIN")
        yield db


@contextmanager
def changing() -> Iterator[sqlite3.Connection]:
    """Open the state for one change: alone, and all or nothing."""
    with closing(connect()) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


def reset() -> None:
    """Forget everything: servers, settings, faults and the ledger."""
    with changing() as db:
        for table in TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608


def connect() -> sqlite3.Connection:
    """Open the file that `settings.EMULATOR_STATE` names, making it when it is not there."""
    path = Path(settings.EMULATOR_STATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous=OFF")
    if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        prepare(db)
    return db


def prepare(db: sqlite3.Connection, tries: int = 100) -> None:
    """Lay out a new file; changing to WAL does not wait for other processes by itself, hence the tries."""
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version={VERSION};COMMIT")
            return
        except sqlite3.OperationalError:
            tries -= 1
            if not tries:
                raise
            time.sleep(0.02)


def count_up(db: sqlite3.Connection, name: str) -> int:
    """Take the next number of a counter; the first is 1."""
    sql = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    return db.execute(sql, [name]).fetchone()[0]
