"""Emulator control endpoints: fault injection, settings, ledger, reset. Plain JSON, no credentials."""

import json
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from apps.emulator import containers, disks, lifecycle, state
from apps.emulator import faults as rules
from apps.emulator import ledger as records
from apps.emulator import servers as fleet
from apps.emulator.responses import ApiError, to_response
from apps.emulator.settings import change_settings, read_settings


def control_endpoint(view: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """Make a view of a function that takes the method and the JSON body and returns JSON."""

    @csrf_exempt
    def endpoint(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            body = json.loads(request.body or b"{}")
            return JsonResponse(view(request.method, body, **named))
        except ValueError as error:
            return JsonResponse({"error": str(error)}, status=400)
        except ApiError as error:
            return to_response(error.answer)

    return endpoint


@control_endpoint
def faults(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Add, list or clear the fault rules."""
    with state.changing() as db:
        if method == "POST":
            rules.add(db, body)
        if method == "DELETE":
            db.execute("DELETE FROM faults")
        rows = db.execute("SELECT * FROM faults ORDER BY id").fetchall()
    return {"faults": [json.loads(row["rule"]) | {"id": row["id"], "times_left": row["times"]} for row in rows]}


@control_endpoint
def settings(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change settings, and return all of them."""
    with state.changing() as db:
        if method == "POST":
            change_settings(db, body)
        return {"settings": read_settings(db)}


@control_endpoint
def ledger(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return what was committed, and how often each path was called."""
    with state.reading() as db:
        return {"events": records.events(db), "calls": records.calls(db)}


@control_endpoint
def reset(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Delete the whole state and all containers."""
    if method != "POST":
        raise ValueError("POST to reset.")
    state.reset()
    containers.keep_only(set())
    return {"reset": True}


@control_endpoint
def vanish(method: str, body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Remove a server and its disks in any state, as if somebody had deleted them outside of this service."""
    if method != "POST":
        raise ValueError("POST to make a server vanish.")
    with state.changing() as db:
        lifecycle.remove(db, fleet.existing(db, uuid), time.time(), with_disks=True)
    containers.remove(uuid)
    return {"vanished": uuid}


@control_endpoint
def index(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Say what this is, and list the servers."""
    return {
        "what": "An emulated UpCloud API 1.3. Nothing real stands behind the servers in it but, where this machine has "
        "an engine, containers; and nothing costs money.",
        "api": "1.3/",
        "control": ["control/faults", "control/settings", "control/ledger", "control/reset"],
        **shown(),
    }


def shown() -> dict[str, list[dict[str, Any]]]:
    """List the servers and the disks in full."""
    with state.reading() as db:
        now = time.time()
        uuids = [row["uuid"] for row in db.execute("SELECT uuid FROM servers ORDER BY created, rowid")]
        stored = [json.loads(row["doc"]) for row in db.execute("SELECT doc FROM disks ORDER BY created, rowid")]
        return {
            "servers": [fleet.details(db, uuid, now) for uuid in uuids],
            "disks": [disks.details(disk, now) for disk in stored],
        }
