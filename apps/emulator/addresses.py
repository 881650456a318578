"""Addresses for servers: public ones in 127.77.0.0/16, which any Linux machine can reach, utility ones in 10.77."""

import sqlite3

from apps.emulator import state
from apps.emulator.responses import refuse

NETWORKS = {
    ("public", "IPv4"): "127.77.{high}.{low}",
    ("utility", "IPv4"): "10.77.{high}.{low}",
    ("private", "IPv4"): "10.78.{high}.{low}",
    ("public", "IPv6"): "2001:db8:77::{high:x}:{low:x}",
    ("private", "IPv6"): "fd00:77::{high:x}:{low:x}",
}


def take(db: sqlite3.Connection, kind: str, family: str, server: str) -> str:
    """Give a server the next address that nobody holds; a freed one only comes round again after all others."""
    for _ in range(65536):
        address = numbered(kind, family, state.count_up(db, f"address {kind} {family}"))
        sql = "INSERT OR IGNORE INTO addresses VALUES (?, ?, ?)"
        if db.execute(sql, [address, f"{kind} {family}", server]).rowcount:
            return address
    return refuse("IP_ADDRESS_RESOURCES_UNAVAILABLE", "No free IP address is left.", 409)


def numbered(kind: str, family: str, number: int) -> str:
    """Spell the n-th address, counted from 1: 127.77.0.2 to 127.77.255.254, skipping the ends of every /24."""
    high, low = divmod((number - 1) % (256 * 253), 253)
    return NETWORKS[kind, family].format(high=high, low=low + 2)


def release_addresses(db: sqlite3.Connection, server: str) -> None:
    """Free the addresses of a server that is gone."""
    db.execute("DELETE FROM addresses WHERE server = ?", [server])


def held(db: sqlite3.Connection, kind: str) -> int:
    """Count the addresses of one kind, such as `public IPv4`, that servers hold."""
    return db.execute("SELECT COUNT(*) FROM addresses WHERE kind = ?", [kind]).fetchone()[0]
