"""Credits, in cents: what the account had, less every started hour of everything that was ever charged for."""

import math
import sqlite3
from collections.abc import Mapping
from typing import Any

from apps.emulator import catalog
from apps.emulator.responses import refuse


def server_hourly(server: Mapping[str, Any]) -> float:
    """Price a server, in cents per hour; a plan without a price in the zone costs nothing here."""
    prices = catalog.zone_prices(server["zone"])
    if server["plan"] != "custom":
        return prices.get(f"server_plan_{server['plan']}", {"price": 0.0})["price"]
    memory = prices["server_memory"]
    cores = prices["server_core"]["price"] * int(server["core_number"])
    return cores + memory["price"] * int(server["memory_amount"]) / memory["amount"]


def disk_hourly(disk: Mapping[str, Any], included_gib: int = 0) -> float:
    """Price a disk, in cents per hour, beyond the GiB that a plan includes."""
    price = catalog.zone_prices(disk["zone"])[f"storage_{disk['tier']}"]["price"]
    return price * max(0, disk["size"] - included_gib)


def charge(db: sqlite3.Connection, what: str, hourly: float, now: float) -> None:
    """Charge for something from now on, at this rate instead of any earlier one."""
    stop_charging(db, what, now)
    db.execute("INSERT INTO charges VALUES (?, ?, ?, NULL)", [what, hourly, now])


def stop_charging(db: sqlite3.Connection, what: str, now: float) -> None:
    """Charge no more for something."""
    db.execute("UPDATE charges SET until = ? WHERE what = ? AND until IS NULL", [now, what])


def credits_left(db: sqlite3.Connection, settings: Mapping[str, Any], now: float) -> float:
    """Count the credits, in cents; `billing_speed` is how many seconds are billed for one that passes."""
    rows = db.execute("SELECT hourly, COALESCE(until, ?) - since AS seconds FROM charges", [now])
    spent = sum(row["hourly"] * started_hours(row["seconds"] * settings["billing_speed"]) for row in rows)
    return round(settings["initial_credits"] - spent, 3)


def started_hours(seconds: float) -> int:
    """Round up to whole hours, as the bill does: at least one."""
    return max(1, math.ceil(seconds / 3600))


def refuse_without_credits(db: sqlite3.Connection, settings: Mapping[str, Any], now: float) -> None:
    """Refuse to create for an account that has nothing left."""
    if credits_left(db, settings, now) <= 0:
        refuse("INSUFFICIENT_CREDITS", "There are not enough credits left.", 402)
