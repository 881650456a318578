"""Five hundred servers at once on two worker processes: waits hold none of them, states are asked for by list."""

from __future__ import annotations

import collections
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

SERVERS, BOOT_SECONDS, PROMISED_SECONDS = 500, 30, 60


def main() -> None:
    """Serve the whole project on a free port, submit the servers and wait until all are running."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"ENVIRONMENT": "development", "PORT": str(port), "WORKERS": "2", "EMULATOR_BOOT_SECONDS": BOOT_SECONDS}
    settings |= {"EMULATOR_MACHINES": "none", "EMULATOR_STATE": f"{os.environ['VAR_DIR']}/emulator-{port}.sqlite3"}
    with scratch_database(os.environ["DATABASE_URL"]) as url:
        serve({**os.environ, **{name: str(value) for name, value in settings.items()}, "DATABASE_URL": url}, port)


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Give the URL of a database of our own: a new one beside the named one on PostgreSQL, the named file on SQLite."""
    if url.startswith("sqlite"):
        yield url
        return
    server, _, name = url.rpartition("/")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}_boots")
        connection.execute(f"CREATE DATABASE {name}_boots")
        yield f"{server}/{name}_boots"
        connection.execute(f"DROP DATABASE {name}_boots WITH (FORCE)")


def serve(environment: dict[str, str], port: int) -> None:
    """Serve the project while the servers boot."""
    service = subprocess.Popen([sys.executable, "manage.py", "dev"], env=environment, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            run(client)
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(30)


def run(client: httpx.Client) -> None:
    """Submit, wait and print."""
    log_in(client)
    begin = time.monotonic()
    for number in range(SERVERS):
        body = {"workspace": "production", "provider": "upcloud", "plan": "1xCPU-1GB", "zone": "de-fra1"}
        client.post("/v1/servers/create", json={**body, "hostname": f"web-{number}"}).raise_for_status()
    submitted = time.monotonic()
    while (states := count(client))["running"] < SERVERS and time.monotonic() - submitted < 3 * PROMISED_SECONDS:
        time.sleep(0.5)
    took = time.monotonic() - submitted
    print(f"\n{SERVERS} servers that boot for {BOOT_SECONDS} s, 2 worker processes")
    print(f"  submitted within {submitted - begin:.1f} s; {dict(states)} {took:.1f} s later (of {PROMISED_SECONDS})")
    for call, times in calls(client).most_common():
        print(f"  {times:>5} × {call}")


def log_in(client: httpx.Client) -> None:
    """Wait for the service and its catalogue, then log in."""
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up:
        try:
            answer = client.post("/v1/auth/login", json={"username": "admin", "password": "admin123"})
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            check = {"workspace": "production", "provider": "upcloud", "plan": "1xCPU-1GB", "zone": "de-fra1"}
            check |= {"hostname": "check", "check_mode": True}
            client.post("/v1/servers/create", json=check).raise_for_status()
        except (httpx.HTTPError, KeyError):
            time.sleep(0.3)
        else:
            return
    raise SystemExit("the service did not come up")


def count(client: httpx.Client) -> collections.Counter[str]:
    """Count the servers by status."""
    return collections.Counter(server["status"] for server in client.get("/v1/servers").json())


def calls(client: httpx.Client) -> collections.Counter[str]:
    """Count the calls that the cloud has seen, machines' names left out."""
    found: collections.Counter[str] = collections.Counter()
    ledger: dict[str, Any] = client.get("/emulator/control/ledger").json()
    for call in ledger["calls"]:
        found[f"{call['method']} {re.sub(r'/0[0-9a-f-]{35}', '/{uuid}', call['path'])}"] += call["count"]
    return found
