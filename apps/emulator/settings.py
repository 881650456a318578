"""The settings that make the cloud slow, full or broken; changed at `/emulator/control/settings`."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from apps.system.linear_regex import compiled

# Seconds that are None follow `boot_seconds`: a stop takes half of it, a start blocks for all of it.
DEFAULTS: dict[str, Callable[[], Any]] = {
    "boot_seconds": lambda: settings.EMULATOR_BOOT_SECONDS,
    "stop_seconds": lambda: None,
    "start_blocks_seconds": lambda: None,
    "soft_stop_ignored": lambda: False,
    "max_concurrent_creates": lambda: None,
    "zones_full": list,
    "plans_full": list,
    "stuck_in_maintenance": list,
    "error_state": list,
    "initial_credits": lambda: 100_000_000.0,
    "billing_speed": lambda: 1.0,
    "resource_limits": dict,
}


def read_settings(db: sqlite3.Connection) -> dict[str, Any]:
    """Return all settings, those never changed at their default; times in seconds, credits in cents."""
    changed = {row["name"]: json.loads(row["value"]) for row in db.execute("SELECT * FROM knobs")}
    values = {name: default() for name, default in DEFAULTS.items()} | changed
    if values["stop_seconds"] is None:
        values["stop_seconds"] = values["boot_seconds"] / 2
    if values["start_blocks_seconds"] is None:
        values["start_blocks_seconds"] = values["boot_seconds"]
    return values


def change_settings(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Store settings. Raises ValueError for an unknown name, or a pattern that is no regular expression."""
    if unknown := set(values) - set(DEFAULTS):
        raise ValueError(f"Unknown setting: {', '.join(sorted(unknown))}. Known are: {', '.join(DEFAULTS)}.")
    for pattern in [*values.get("stuck_in_maintenance", ()), *values.get("error_state", ())]:
        compiled(pattern)
    rows = [(name, json.dumps(value)) for name, value in values.items()]
    db.executemany("INSERT OR REPLACE INTO knobs VALUES (?, ?)", rows)
