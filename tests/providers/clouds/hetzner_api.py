"""A stub of the Hetzner Cloud API over real HTTP: what the driver needs of it, as the API's reference has it.

It is strict: unknown fields, parameters and bad labels are refused, so that a mistake of the driver shows.
"""

import itertools
import json
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from tests.providers.clouds.hetzner_catalog import IMAGES, LOCATIONS, PRICING, TYPES
from tests.providers.clouds.served import Served

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
CREATE = {"name", "server_type", "location", "image", "start_after_create", "public_net", "labels", "user_data"}
QUERY = {
    "/locations": {"name"},
    "/server_types": {"name"},
    "/images": {"name", "type", "architecture"},
    "/servers": {"name", "label_selector"},
    "/primary_ips": set(),
}


class Said(Exception):
    """An error of the API."""

    def __init__(self, status, code):
        self.status = status
        self.body = {"error": {"code": code, "message": f"Told to say {code}.", "details": None}}


class HetznerAPI(Served):
    """One project; a context manager, reached at `address`. `boot_seconds` is how long a machine takes to run."""

    def __init__(self, token):
        self.token, self.lock = token, threading.RLock()
        self.reset()
        super().__init__(Handler, "api")

    def reset(self):
        with self.lock:
            self.servers, self.addresses, self.made = {}, {}, []
            self.boot_seconds, self.numbers = 0, itertools.count(42)

    # ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, method, path, query, token, body):
        with self.lock:
            if token != f"Bearer {self.token}":
                raise Said(401, "unauthorized")
            if path == "/pricing" and method == "GET":
                return 200, {"pricing": PRICING}
            if method == "GET" and path in QUERY:
                return 200, self.listed(path, query)
            if method == "POST" and path == "/servers":
                return 201, self.create(json.loads(body))
            match = re.fullmatch(r"/servers/([0-9]+)(?:/actions/(\w+))?", path)
            server = self.servers.get(int(match[1])) if match else None
            if server is None:
                raise Said(404, "not_found")
            if match[2]:
                if method != "POST" or match[2] not in ("poweron", "poweroff", "reboot"):
                    raise Said(404, "not_found")
                return 201, {"action": self.act(server, match[2])}
            if method == "DELETE":
                return 200, {"action": self.remove(server)}
            return 200, {"server": self.shown(server)}

    def listed(self, path, query):
        asked = dict(query)
        number, size = int(asked.pop("page", 1)), int(asked.pop("per_page", 25))
        if asked.keys() - QUERY[path] or not 1 <= size <= 50:
            raise Said(400, "invalid_input")
        wanted = dict(part.split("==") for part in asked.pop("label_selector", "").split(",") if part)
        found = [
            thing
            for thing in self.things(path)
            if all(str(thing[key]) == value for key, value in asked.items())
            and wanted.items() <= thing.get("labels", {}).items()
        ]
        last = max(1, -(-len(found) // size))
        pages = {"page": number, "per_page": size, "previous_page": number - 1 or None}
        pages |= {"next_page": number + 1 if number < last else None, "last_page": last, "total_entries": len(found)}
        return {path[1:]: found[(number - 1) * size : number * size], "meta": {"pagination": pages}}

    def things(self, path):
        if path == "/servers":
            return [self.shown(server) for server in self.servers.values()]
        if path == "/primary_ips":
            return list(self.addresses.values())
        return {"/locations": LOCATIONS, "/server_types": TYPES, "/images": IMAGES}[path]

    def create(self, given):
        """Make a server; as the API does, with a password when no ssh key of the project is named."""
        if given.keys() - CREATE or not {"name", "server_type", "image"} <= given.keys():
            raise Said(422, "invalid_input")
        labels = given.get("labels", {})
        is_fit = all(LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value) for key, value in labels.items())
        if not is_fit or not NAME.fullmatch(given["name"]) or len(given.get("user_data", "").encode()) > 32768:
            raise Said(422, "invalid_input")
        kind = _named(TYPES, given["server_type"])
        place = _named(LOCATIONS, given.get("location", "fsn1"))
        picture = _named(IMAGES, given["image"])
        if picture["architecture"] != kind["architecture"]:
            raise Said(422, "invalid_input")
        if kind["deprecation"]:
            raise Said(412, "resource_unavailable")
        if given["name"].lower() in {server["name"].lower() for server in self.servers.values()}:
            raise Said(409, "uniqueness_error")
        server = self._server_of(given, kind, place, picture)
        self.made.append(given | {"id": server["id"]})
        shown = {**self.shown(server), "status": "initializing"}
        action = self._action("create_server", server)
        return {"server": shown, "action": action, "next_actions": [], "root_password": "made-up-by-the-cloud"}

    def _server_of(self, given, kind, place, picture):
        number = next(self.numbers)
        self.addresses[number] = {"id": number, "type": "ipv4", "auto_delete": True, "assignee_id": number}
        server = {
            "id": number,
            "name": given["name"],
            "status": "initializing",
            "created": datetime.now(UTC).isoformat(),
            "public_net": {
                "ipv4": {"id": number, "ip": f"203.0.113.{number % 250}", "blocked": False, "dns_ptr": "a.example"},
                "ipv6": None,
                "floating_ips": [],
                "firewalls": [],
            },
            "private_net": [],
            "server_type": kind,
            "location": place,
            "image": picture,
            "iso": None,
            "rescue_enabled": False,
            "locked": False,
            "backup_window": None,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 1,
            "protection": {"delete": False, "rebuild": False},
            "labels": dict(given.get("labels", {})),
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": kind["disk"],
            "placement_group": None,
            "until": time.monotonic() + self.boot_seconds,
        }
        self.servers[number] = server
        return server

    def act(self, server, verb):
        now = self.shown(server)
        if now["locked"]:
            raise Said(423, "locked")
        if verb == "reboot" and now["status"] != "running":
            raise Said(422, "invalid_input")
        if verb == "poweroff":
            server["status"] = "off"
        else:
            server |= {"status": "starting", "until": time.monotonic() + self.boot_seconds}
        return self._action(verb, server)

    def remove(self, server):
        if server["protection"]["delete"]:
            raise Said(403, "protected")
        if self.shown(server)["locked"]:
            raise Said(423, "locked")
        del self.servers[server["id"]]
        if self.addresses[server["id"]]["auto_delete"]:
            del self.addresses[server["id"]]
        return self._action("delete_server", server)

    def shown(self, server):
        """Show a server as it now is: one that boots is locked until it runs."""
        if server["status"] in ("initializing", "starting"):
            is_up = time.monotonic() >= server["until"]
            server |= {"status": "running" if is_up else server["status"], "locked": not is_up}
        return {key: value for key, value in server.items() if key != "until"}

    def _action(self, command, server):
        resources = [{"id": server["id"], "type": "server"}]
        facts = {"status": "running", "progress": 0, "started": server["created"], "finished": None, "error": None}
        return {"id": next(self.numbers), "command": command, "resources": resources, **facts}


def _named(things, wanted):
    for thing in things:
        if wanted in (thing["id"], thing["name"]):
            return thing
    raise Said(404, "not_found")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    api: HetznerAPI

    def _do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        path, query = target.path.removeprefix("/v1"), parse_qsl(target.query)
        try:
            status, response = self.api.answer(self.command, path, query, self.headers.get("Authorization"), body)
        except Said as error:
            status, response = error.status, error.body
        raw = json.dumps(response).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def log_message(self, *args):
        pass
