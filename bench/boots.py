"""Five hundred servers at once on two worker processes, then three hundred more where there are a thousand.

Waits hold no worker, states are asked for by list, and the first of a burst run before the last are ordered.
"""

from __future__ import annotations

import collections
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

SERVERS, BOOT_SECONDS, PROMISED_SECONDS = 500, 30, 60
CROWD, BURST, BURST_BOOT_SECONDS, PATIENCE = 1000, 300, 2, 600


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
    service = subprocess.Popen(
        [sys.executable, "manage.py", "dev"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            run(client)
            burst(client)
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(30)


def run(client: httpx.Client) -> None:
    """Submit, wait and print."""
    log_in(client)
    begin = time.monotonic()
    submit(client, "web", SERVERS)
    submitted = time.monotonic()
    while (states := count(client))["running"] < SERVERS and time.monotonic() - submitted < 3 * PROMISED_SECONDS:
        time.sleep(0.5)
    took = time.monotonic() - submitted
    print(f"\n{SERVERS} servers that boot for {BOOT_SECONDS} s, 2 worker processes")
    print(f"  submitted within {submitted - begin:.1f} s; {dict(states)} {took:.1f} s later (of {PROMISED_SECONDS})")
    for call, times in calls(client).most_common():
        print(f"  {times:>5} × {call}")


def submit(client: httpx.Client, name: str, servers: int) -> list[str]:
    """Ask for servers, one after the other; returns the operations' ids."""
    body = {"workspace": "production", "provider": "upcloud", "plan": "1xCPU-1GB", "zone": "de-fra1"}
    ids = []
    for number in range(servers):
        answer = client.post("/v1/servers/create", json={**body, "hostname": f"{name}-{number}"}).raise_for_status()
        ids.append(answer.json()["id"])
    return ids


def burst(client: httpx.Client) -> None:
    """Bring the account to a thousand machines, submit a burst, and print after how long its servers ran."""
    limits = dict.fromkeys(("cores", "memory", "public_ipv4"), 10**9)
    settings = {"boot_seconds": BURST_BOOT_SECONDS, "resource_limits": limits}
    client.post("/emulator/control/settings", json=settings).raise_for_status()
    submit(client, "crowd", CROWD - SERVERS)
    give_up = time.monotonic() + PATIENCE
    while count(client)["running"] < CROWD and time.monotonic() < give_up:
        time.sleep(0.5)
    begin, ordered = time.monotonic(), orders(client)
    waiting = set(submit(client, "burst", BURST))
    ended: list[float] = []
    behind = 0
    while len(ended) < BURST and time.monotonic() < give_up:
        done = client.get(
            "/v1/operations", params={"status": "completed", "ordering": "-created_at", "per_page": BURST}
        )
        fresh = {one["id"] for one in done.json()} & waiting
        if fresh and not ended:
            behind = BURST - (orders(client) - ordered)
        ended += [time.monotonic() - begin for _ in fresh]
        waiting -= fresh
        time.sleep(0.25)
    print(f"\n{BURST} more, that boot for {BURST_BOOT_SECONDS} s, where there are {CROWD}")
    print(f"  seconds from the first submission: {ended[0]:.1f} until the first runs, with {behind} not ordered yet,")
    print(f"  median {statistics.median(ended):.1f}, {ended[-1]:.1f} until {len(ended)} run")


def orders(client: httpx.Client) -> int:
    """Count the orders that the cloud has seen."""
    return sum(times for call, times in calls(client).items() if re.fullmatch(r"POST .*/server", call))


def log_in(client: httpx.Client) -> None:
    """Wait for the service and its catalog, then log in."""
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
