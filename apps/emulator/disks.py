"""Disks: made with a server, outliving it unless they are deleted, and charged for as long as they are there."""

import json
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any

from apps.emulator import billing, catalog, labels
from apps.emulator.requests import UUID, Call
from apps.emulator.responses import Answer, listing, refuse

Disk = dict[str, Any]

KINDS = {
    "public": ("access", "public"),
    "private": ("access", "private"),
    "normal": ("type", "normal"),
    "backup": ("type", "backup"),
    "cdrom": ("type", "cdrom"),
    "template": ("type", "template"),
}
BACKUPS = ("keep", "keep_latest", "delete")


def new(disk: Disk, server: str, now: float, seconds: float) -> Disk:
    """Describe a disk that is being made, and takes so many seconds, for a server."""
    return disk | {
        "uuid": f"01{str(uuid.uuid4())[2:]}",
        "server": server,
        "created": now,
        "online": now + seconds,
    }


def store(db: sqlite3.Connection, disk: Disk) -> None:
    """Write a disk down, new or changed."""
    row = [disk["uuid"], disk["server"], disk["created"], disk["online"], json.dumps(disk)]
    db.execute("INSERT OR REPLACE INTO disks VALUES (?, ?, ?, ?, ?)", row)


def of_server(db: sqlite3.Connection, server: str) -> list[Disk]:
    """List the disks attached to a server."""
    rows = db.execute("SELECT doc FROM disks WHERE server = ? ORDER BY created, rowid", [server])
    return [json.loads(row["doc"]) for row in rows]


def leave(db: sqlite3.Connection, disk: Disk, now: float) -> None:
    """Detach a disk from a server that is gone: no plan includes it any more."""
    store(db, disk | {"server": None})
    billing.charge(db, disk["uuid"], billing.disk_hourly(disk), now)


def remove(db: sqlite3.Connection, disk: Disk, now: float) -> None:
    """Delete a disk, whatever state it is in."""
    db.execute("DELETE FROM disks WHERE uuid = ?", [disk["uuid"]])
    billing.stop_charging(db, disk["uuid"], now)


def require_online(disk: Disk, now: float) -> None:
    """Refuse while a disk is still being made."""
    if now < disk["online"]:
        refuse("STORAGE_STATE_ILLEGAL", f"The storage {disk['uuid']} is in state 'maintenance'.", 409)


def shape(disk: Disk, now: float) -> dict[str, Any]:
    """Shape a disk as storage lists show it: a number as size, a text as time, labels as a bare array."""
    return {
        "uuid": disk["uuid"],
        "title": disk["title"],
        "type": "normal",
        "access": "private",
        "state": "online" if now >= disk["online"] else "maintenance",
        "size": disk["size"],
        "tier": disk["tier"],
        "zone": disk["zone"],
        "license": 0,
        "encrypted": disk["encrypted"],
        "labels": disk["labels"],
        "created": datetime.fromtimestamp(disk["created"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def details(disk: Disk, now: float) -> dict[str, Any]:
    """Shape a disk as `GET /storage/{uuid}` shows it."""
    origin = {"origin": disk["origin"]} if disk["origin"] else {}
    servers = [disk["server"]] if disk["server"] else []
    return shape(disk, now) | origin | {"backup_rule": {}, "backups": {"backup": []}, "servers": {"server": servers}}


def device(disk: Disk, index: int) -> dict[str, Any]:
    """Shape a disk as the details of its server show it."""
    return {
        "address": f"virtio:{index}",
        "boot_disk": "0",
        "type": "disk",
        "storage": disk["uuid"],
        "storage_size": disk["size"],
        "storage_title": disk["title"],
        "storage_tier": disk["tier"],
        "storage_encrypted": disk["encrypted"],
        "labels": disk["labels"],
    }


def find(db: sqlite3.Connection, disk_id: str) -> Disk | None:
    """Find a disk."""
    row = db.execute("SELECT doc FROM disks WHERE uuid = ?", [disk_id]).fetchone()
    return json.loads(row["doc"]) if row else None


def list_all(call: Call, db: sqlite3.Connection, kind: str = "") -> Answer:
    """Answer `GET /storage` and `GET /storage/{one type or access}`."""
    rows = db.execute("SELECT doc FROM disks ORDER BY created, rowid")
    items = catalog.templates() + [shape(json.loads(row["doc"]), call.now) for row in rows]
    filters = {key: call.query[key] for key in ("type", "access") if key in call.query}
    filters |= dict([KINDS[kind]]) if kind in KINDS else {}
    found = [
        item
        for item in items
        if kind != "favorite"
        and all(item[key] == value for key, value in filters.items())
        and labels.match(item["labels"], call.query.getlist("label"))
    ]
    limit, offset = call.page()
    page = found[offset:] if limit < 0 else found[offset : offset + limit]
    return listing("storages", "storage", page, len(found))


def get(call: Call, db: sqlite3.Connection, disk_id: str) -> Answer:
    """Answer `GET /storage/{uuid}`."""
    if template := catalog.find(catalog.templates(), "uuid", disk_id):
        return Answer(payload={"storage": template | {"servers": {"server": []}, "backups": {"backup": []}}})
    return Answer(payload={"storage": details(existing(db, disk_id), call.now)})


def delete(call: Call, db: sqlite3.Connection, disk_id: str) -> Answer:
    """Answer `DELETE /storage/{uuid}`."""
    if call.query.get("backups", "keep") not in BACKUPS:
        refuse("BACKUP_DELETION_POLICY_INVALID", "The backups parameter is invalid.")
    if catalog.find(catalog.templates(), "uuid", disk_id):
        refuse("STORAGE_FORBIDDEN", f"The storage {disk_id} may not be deleted.", 403)
    disk = existing(db, disk_id)
    if disk["server"]:
        refuse("STORAGE_ATTACHED", f"The storage {disk_id} is attached to a server.", 409)
    require_online(disk, call.now)
    remove(db, disk, call.now)
    return Answer(204)


def existing(db: sqlite3.Connection, disk_id: str) -> Disk:
    """Find a disk or refuse: 400 for what is no UUID, 404 for what is not there."""
    if not UUID.fullmatch(disk_id):
        refuse("STORAGE_INVALID", "The storage UUID is invalid.")
    return find(db, disk_id) or refuse("STORAGE_NOT_FOUND", f"The storage {disk_id} does not exist.", 404)
