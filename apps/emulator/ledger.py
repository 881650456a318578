"""What was really done: every create and delete ever committed, and how often each path was called."""

import json
import sqlite3
from typing import Any


def note(db: sqlite3.Connection, now: float, event: str, server: str, **details: Any) -> None:
    """Write down something committed."""
    sql = "INSERT INTO ledger (at, event, server, doc) VALUES (?, ?, ?, ?)"
    db.execute(sql, [now, event, server, json.dumps(details)])


def count_call(db: sqlite3.Connection, method: str, path: str) -> None:
    """Count a call, answered or not."""
    sql = "INSERT INTO calls VALUES (?, ?, 1) ON CONFLICT (method, path) DO UPDATE SET count = count + 1"
    db.execute(sql, [method, path])


def events(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """List what was committed, oldest first; times in Unix seconds."""
    rows = db.execute("SELECT * FROM ledger ORDER BY id")
    return [{"event": row["event"], "at": row["at"], "server": row["server"], **json.loads(row["doc"])} for row in rows]


def calls(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """List how often each method and path was called."""
    return [dict(row) for row in db.execute("SELECT * FROM calls ORDER BY method, path")]
