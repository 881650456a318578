"""Stop, start, restart and delete."""

import json
import sqlite3
import time
from typing import Any

from apps.emulator import addresses, billing, containers, disks, ledger, servers, state, state_timeline
from apps.emulator.requests import Call, only
from apps.emulator.responses import Answer, refuse
from apps.emulator.settings import read_settings


def stop(call: Call, db: sqlite3.Connection, uuid: str) -> Answer:
    """Answer `POST /server/{uuid}/stop`: at once, while the server still shows `started`."""
    asked = call.wrapped("stop_server", required=False)
    timeout = check_stop(asked)
    row = servers.existing(db, uuid)
    servers.require_state(db, row, "started", call.now)
    settings = read_settings(db)
    seconds = settings["stop_seconds"]
    if settings["soft_stop_ignored"] and asked.get("stop_type", "soft") == "soft":
        seconds = timeout if timeout and asked.get("timeout_action", "destroy") == "destroy" else float("1e9")
    servers.move(db, uuid, state_timeline.stop(call.now, seconds, json.loads(row["phases"])))
    ledger.note(db, call.now, "stop", uuid)
    return Answer(payload={"server": servers.details(db, uuid, call.now, "started")})


def check_stop(asked: dict[str, Any]) -> int | None:
    """Check how to stop; the timeout is a text of 1 to 600 seconds. Returns it, or None."""
    only(asked, {"stop_type", "timeout", "timeout_action"}, "stop_server")
    if asked.get("stop_type", "soft") not in ("soft", "hard"):
        refuse("STOP_TYPE_INVALID", "The stop_type attribute is invalid.")
    if asked.get("timeout_action", "destroy") not in ("destroy", "ignore"):
        refuse("TIMEOUT_ACTION_INVALID", "The timeout_action attribute is invalid.")
    if "timeout" not in asked:
        return None
    timeout = asked["timeout"]
    if not isinstance(timeout, str) or not timeout.isdecimal() or not 1 <= int(timeout) <= 600:
        refuse("TIMEOUT_INVALID", "The timeout attribute is invalid.")
    return int(timeout)


def start(call: Call, uuid: str) -> Answer:
    """Answer `POST /server/{uuid}/start`: not before the server has started, unless `start_type` is `async`."""
    asked = call.wrapped("server", required=False)
    only(asked, {"start_type", "host", "avoid_host"}, "server")
    with state.changing() as db:
        servers.require_state(db, servers.existing(db, uuid), "stopped", call.now)
        seconds = read_settings(db)["start_blocks_seconds"]
        servers.move(db, uuid, state_timeline.start(call.now, seconds))
        ledger.note(db, call.now, "start", uuid)
    containers.start(uuid)
    if asked.get("start_type") != "async":
        time.sleep(seconds)
    with state.reading() as db:
        return Answer(payload={"server": servers.details(db, uuid, time.time())})


def restart(call: Call, db: sqlite3.Connection, uuid: str) -> Answer:
    """Answer `POST /server/{uuid}/restart`: at once; the server goes through `maintenance`."""
    check_stop(call.wrapped("restart_server", required=False))
    servers.require_state(db, servers.existing(db, uuid), "started", call.now)
    servers.move(db, uuid, state_timeline.restart(call.now, read_settings(db)["boot_seconds"]))
    ledger.note(db, call.now, "restart", uuid)
    return Answer(payload={"server": servers.details(db, uuid, call.now, "started")})


def delete(call: Call, db: sqlite3.Connection, uuid: str) -> Answer:
    """Answer `DELETE /server/{uuid}`: only when stopped; without `storages=1` its disks stay, and are charged for."""
    with_disks = call.query.get("storages", "0")
    if with_disks not in ("0", "1"):
        refuse("STORAGE_DELETION_POLICY_INVALID", "The storages parameter is invalid.")
    if call.query.get("backups", "keep") not in disks.BACKUPS:
        refuse("BACKUP_DELETION_POLICY_INVALID", "The backups parameter is invalid.")
    row = servers.existing(db, uuid)
    servers.require_state(db, row, "stopped", call.now)
    for disk in disks.of_server(db, uuid):
        disks.require_online(disk, call.now)
    remove(db, row, call.now, with_disks=with_disks == "1")
    return Answer(204)


def remove(db: sqlite3.Connection, row: sqlite3.Row, now: float, *, with_disks: bool) -> None:
    """Delete a server, and either delete its disks or leave them behind."""
    for disk in disks.of_server(db, row["uuid"]):
        disks.remove(db, disk, now) if with_disks else disks.leave(db, disk, now)
    server = json.loads(row["doc"])
    db.execute("DELETE FROM servers WHERE uuid = ?", [row["uuid"]])
    db.execute("DELETE FROM labels WHERE server = ?", [row["uuid"]])
    addresses.release_addresses(db, row["uuid"])
    billing.stop_charging(db, row["uuid"], now)
    ledger.note(db, now, "delete", row["uuid"], hostname=server["hostname"], labels=server["labels"]["label"])
