"""Servers as they are stored and shown: rows, list items, details; listing, reading and modifying them."""

import json
import sqlite3
import zlib
from typing import Any

from apps.emulator import billing, disks, labels, order_rules, request_validation
from apps.emulator.requests import UUID, Call
from apps.emulator.responses import Answer, listing, refuse
from apps.emulator.settings import read_settings
from apps.emulator.state_timeline import Phases, progress_at, shown_state

Server = dict[str, Any]

LISTED = (
    *("uuid", "title", "hostname", "zone", "plan", "core_number", "memory_amount", "state", "created", "host"),
    *("license", "simple_backup", "server_group", "plan_ipv4_bytes", "plan_ipv6_bytes", "labels", "tags"),
)


def store(db: sqlite3.Connection, server: Server, created: float, phases: Phases) -> None:
    """Write a new server down."""
    row = [server["uuid"], created, json.dumps(server), json.dumps(phases)]
    db.execute("INSERT INTO servers VALUES (?, ?, ?, ?)", row)
    labels.store(db, server["uuid"], server["labels"]["label"])


def move(db: sqlite3.Connection, uuid: str, phases: Phases) -> None:
    """Set a server on its way to another state."""
    db.execute("UPDATE servers SET phases = ? WHERE uuid = ?", [json.dumps(phases), uuid])


def existing(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    """Find a server or refuse: 400 for what is no UUID, 404 for what is not there."""
    if not UUID.fullmatch(uuid):
        refuse("SERVER_INVALID", "The server UUID is invalid.")
    row = db.execute("SELECT * FROM servers WHERE uuid = ?", [uuid]).fetchone()
    return row or refuse("SERVER_NOT_FOUND", f"The server {uuid} does not exist.", 404)


def state_of(db: sqlite3.Connection, row: sqlite3.Row, now: float) -> str:
    """Tell the state that the API shows for a stored server."""
    return shown_state(json.loads(row["doc"])["hostname"], json.loads(row["phases"]), read_settings(db), now)


def require_state(db: sqlite3.Connection, row: sqlite3.Row, allowed: str, now: float) -> None:
    """Refuse unless the server is in the state that the change starts from."""
    if (state := state_of(db, row, now)) != allowed:
        message = f"The operation is not allowed while the server {row['uuid']} is in state '{state}'."
        refuse("SERVER_STATE_ILLEGAL", message, 409)


def shape(row: sqlite3.Row, settings: dict[str, Any], now: float, state: str = "") -> Server:
    """Shape a server without its disks; `host` is only there while it runs, `progress` only early in a create."""
    server, phases = json.loads(row["doc"]), json.loads(row["phases"])
    server["state"] = state or shown_state(server["hostname"], phases, settings, now)
    progress = progress_at(phases, now) if server["state"] == "maintenance" else None
    if progress is not None:
        server["progress"] = progress
    if server["state"] == "started":
        server["host"] = (3 << 31) + zlib.crc32(row["uuid"].encode())
    return server


def details(db: sqlite3.Connection, uuid: str, now: float, state: str = "") -> Server:
    """Shape a server in full, as it is now or as if it were in another state."""
    server = shape(existing(db, uuid), read_settings(db), now, state)
    attached = [disks.device(disk, index) for index, disk in enumerate(disks.of_server(db, uuid))]
    interfaces = server["networking"]["interfaces"]["interface"]
    addresses = [
        {"access": interface["type"], "address": ip["address"], "family": ip["family"]}
        for interface in interfaces
        if interface["type"] != "private"
        for ip in interface["ip_addresses"]["ip_address"]
    ]
    return server | {
        "devices": {"device": []},
        "ip_addresses": {"ip_address": addresses},
        "storage_devices": {"storage_device": attached},
    }


def list_all(call: Call, db: sqlite3.Connection) -> Answer:
    """Answer `GET /server`: fewer attributes than the details, but the labels among them."""
    where, values = labels.condition(call.query.getlist("label"))
    limit, offset = call.page()
    total = db.execute(f"SELECT COUNT(*) FROM servers WHERE {where}", values).fetchone()[0]  # noqa: S608
    sql = f"SELECT * FROM servers WHERE {where} ORDER BY created, rowid LIMIT ? OFFSET ?"  # noqa: S608
    settings = read_settings(db)
    shown = [shape(row, settings, call.now) for row in db.execute(sql, [*values, limit, offset])]
    items = [{name: server[name] for name in LISTED if name in server} for server in shown]
    return listing("servers", "server", items, total)


def get(call: Call, db: sqlite3.Connection, uuid: str) -> Answer:
    """Answer `GET /server/{uuid}`."""
    return Answer(payload={"server": details(db, uuid, call.now)})


def modify(call: Call, db: sqlite3.Connection, uuid: str) -> Answer:
    """Answer `PUT /server/{uuid}`; labels are replaced as a whole, and only a stopped server changes its size."""
    attributes = call.wrapped("server")
    request_validation.check_modify(attributes)
    row = existing(db, uuid)
    server = json.loads(row["doc"])
    changed = {name: value for name, value in attributes.items() if name in server and name != "labels"}
    if {"plan", "core_number", "memory_amount"} & {name for name in changed if str(changed[name]) != server[name]}:
        require_state(db, row, "stopped", call.now)
        changed |= order_rules.sizes(server | changed)
        billing.charge(db, uuid, billing.server_hourly(server | changed), call.now)
    if "labels" in attributes:
        kept = labels.of_system(server["labels"]["label"])
        changed["labels"] = {"label": [*labels.of_server(attributes["labels"]), *kept]}
        labels.store(db, uuid, changed["labels"]["label"])
    db.execute("UPDATE servers SET doc = ? WHERE uuid = ?", [json.dumps(server | changed), uuid])
    return Answer(202, {"server": details(db, uuid, call.now)})
