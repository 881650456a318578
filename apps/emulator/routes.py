"""Which call does what."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from apps.emulator import billing, catalog, containers, create, disks, lifecycle, servers, state
from apps.emulator.requests import Call
from apps.emulator.responses import Answer, listing, refuse
from apps.emulator.settings import read_settings

ONE = r"([^/]+)"
KINDS = "public|private|normal|backup|cdrom|template|favorite"

Handler = Callable[..., Answer]


def account(call: Call, db: sqlite3.Connection) -> Answer:
    """Answer `GET /account`: credits in cents, memory in MiB, storage in GiB."""
    settings = read_settings(db)
    left = billing.credits_left(db, settings, call.now)
    limits = catalog.data()["resource_limits"] | settings["resource_limits"]
    shown = {"username": "emulator", "credits": left, "trial_mode": 0, "resource_limits": limits}
    return Answer(payload={"account": shown})


def zones(call: Call) -> Answer:
    """Answer `GET /zone`."""
    return listing("zones", "zone", catalog.zones())


def plans(call: Call) -> Answer:
    """Answer `GET /plan`."""
    return listing("plans", "plan", catalog.plans())


def prices(call: Call) -> Answer:
    """Answer `GET /price`."""
    return Answer(payload={"prices": {"currency": "EUR", "zone": catalog.prices()}})


# The first two columns are what is asked, the third how the state is opened, the fourth who answers.
ROUTES: list[tuple[str, str, Callable[[], AbstractContextManager[sqlite3.Connection]] | None, Handler]] = [
    ("GET", "account", state.reading, account),
    ("GET", "zone", None, zones),
    ("GET", "plan", None, plans),
    ("GET", "price", None, prices),
    ("GET", "storage", state.reading, disks.list_all),
    ("GET", f"storage/({KINDS})", state.reading, disks.list_all),
    ("GET", f"storage/{ONE}", state.reading, disks.get),
    ("DELETE", f"storage/{ONE}", state.changing, disks.delete),
    ("GET", "server", state.reading, servers.list_all),
    ("POST", "server", None, create.create),
    ("GET", f"server/{ONE}", state.reading, servers.get),
    ("PUT", f"server/{ONE}", state.changing, servers.modify),
    ("DELETE", f"server/{ONE}", state.changing, lifecycle.delete),
    ("POST", f"server/{ONE}/stop", state.changing, lifecycle.stop),
    ("POST", f"server/{ONE}/start", None, lifecycle.start),
    ("POST", f"server/{ONE}/restart", state.changing, lifecycle.restart),
]

# What the container behind a server does after the server has.
FOLLOWED: dict[Handler, Callable[[str], None]] = {
    lifecycle.stop: containers.stop,
    lifecycle.restart: containers.restart,
    lifecycle.delete: containers.remove,
}


def answer(call: Call) -> Answer:
    """Route a call to its handler."""
    version, _, path = call.path.lstrip("/").partition("/")
    if version != "1.3":
        refuse("API_VERSION_OBSOLETE" if version < "1.3" else "API_VERSION_INVALID", f"There is no API {version} here.")
    matches = [
        (method, opened, who, found) for method, pattern, opened, who in ROUTES if (found := fits(pattern, path))
    ]
    for method, opened, who, found in matches:
        if method == call.method:
            return run(call, opened, who, found)
    if matches:
        refuse("METHOD_NOT_ALLOWED", f"{call.method} is not allowed here.", 405)
    return refuse("NOT_FOUND", f"There is no {call.path}.", 404)


def fits(pattern: str, path: str) -> re.Match[str] | None:
    """Match a whole path."""
    return re.fullmatch(pattern, path)


def run(call: Call, opened: Callable | None, who: Handler, found: re.Match[str]) -> Answer:
    """Run a handler, with the state open as it needs it."""
    if opened is None:
        return who(call, *found.groups())
    with opened() as db:
        done = who(call, db, *found.groups())
    if follow := FOLLOWED.get(who):
        follow(found[1])
    return done
