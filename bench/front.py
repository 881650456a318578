"""The ASGI front against the web server's own WSGI threads: requests a second, and what slow connections cost."""

from __future__ import annotations

import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack

from bench.api import prepare
from bench.nodes import FRONTS, processor_seconds_of, web_node
from bench.stage import database

ROUNDS, SECONDS = 5, 3
SLOW = 500


def main() -> None:
    """Run on the configured database."""
    if not shutil.which("wrk"):
        sys.exit("This benchmark needs wrk; on Debian: apt install wrk")
    with database() as vendor, ExitStack() as stack:
        headers, some_id = prepare()
        nodes = {front: stack.enter_context(web_node(front)) for front in FRONTS}
        for path in (f"/v1/servers/{some_id}/status", "/v1/servers"):
            compare(f"GET {path.replace(some_id, '{id}')}, requests a second, {vendor}", nodes, path, headers)
        print(f"\n/health while {SLOW} connections announce a body and send none, {vendor}")
        print(f"  {'ASGI front':<20} median {slow_connections(nodes['ASGI front'][0]) * 1000:.1f} ms")


def compare(title: str, nodes: dict[str, tuple[int, int]], path: str, headers: dict[str, str]) -> None:
    """Load the fronts in turn, so that a noisy moment falls on all; processor time depends least on the moment."""
    rates: dict[str, list[float]] = {front: [] for front in nodes}
    costs: dict[str, list[float]] = {front: [] for front in nodes}
    for _ in range(ROUNDS):
        for front, (port, pid) in nodes.items():
            before = processor_seconds_of(pid)
            count, rate = load(f"http://127.0.0.1:{port}{path}", headers)
            rates[front].append(rate)
            costs[front].append((processor_seconds_of(pid) - before) / count * 1000)
    print(f"\n{title}")
    for front, found in rates.items():
        spread = " · ".join(f"{rate:.0f}" for rate in found)
        cost = statistics.median(costs[front])
        print(f"  {front:<14} median {statistics.median(found):>6.0f} ({spread}), {cost:.2f} ms of processor time each")


def load(url: str, headers: dict[str, str]) -> tuple[int, float]:
    """Ask for the URL over eight connections; returns the number of requests, and requests a second."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", "-c8", f"-d{SECONDS}", *given, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    return int(re.search(r"(\d+) requests in", output)[1]), float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])


def slow_connections(port: int) -> float:
    """Open connections that send no body; returns the median time of /health meanwhile, in seconds."""
    with ExitStack() as stack:
        for _ in range(SLOW):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n{")
        times = []
        for _ in range(20):
            begin = time.perf_counter()
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30).read()
            times.append(time.perf_counter() - begin)
        return statistics.median(times)
