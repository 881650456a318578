"""The doors for whoever stages the cloud: faults, knobs, the ledger, reset. Plain JSON, no credentials."""

import json
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from . import containers, disks, lifecycle, state
from . import faults as rules
from . import ledger as records
from . import servers as fleet
from .answers import ApiError, to_response
from .knobs import knobs, turn


def door(view: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """Make a view of a function that takes the method and the JSON body and returns JSON."""

    @csrf_exempt
    def opened(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            body = json.loads(request.body or b"{}")
            return JsonResponse(view(request.method, body, **named))
        except ValueError as error:
            return JsonResponse({"error": str(error)}, status=400)
        except ApiError as error:
            return to_response(error.answer)

    return opened


@door
def faults(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Add, list or clear the fault rules."""
    with state.changing() as db:
        if method == "POST":
            rules.add(db, body)
        if method == "DELETE":
            db.execute("DELETE FROM faults")
        rows = db.execute("SELECT * FROM faults ORDER BY id").fetchall()
    return {"faults": [json.loads(row["rule"]) | {"id": row["id"], "times_left": row["times"]} for row in rows]}


@door
def settings(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Turn knobs, and show all of them."""
    with state.changing() as db:
        if method == "POST":
            turn(db, body)
        return {"settings": knobs(db)}


@door
def ledger(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Show what was committed and how often each path was called."""
    with state.reading() as db:
        return {"events": records.events(db), "calls": records.calls(db)}


@door
def reset(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """Forget everything."""
    if method != "POST":
        raise ValueError("POST to reset.")
    state.reset()
    containers.keep_only(set())
    return {"reset": True}


@door
def vanish(method: str, body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Take a server and its disks away behind everybody's back, whatever state it is in."""
    if method != "POST":
        raise ValueError("POST to make a server vanish.")
    with state.changing() as db:
        lifecycle.remove(db, fleet.existing(db, uuid), time.time(), with_disks=True)
    containers.remove(uuid)
    return {"vanished": uuid}


@door
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
