"""What thirty logins at once cost the others: the time of a read meanwhile against its usual time."""

from __future__ import annotations

import json
import os
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from bench.api import prepare
from bench.nodes import web_node
from bench.stage import database

ROUNDS, READS, LOGINS = 5, 30, 30


def main() -> None:
    """Run on the configured database."""
    os.environ["LOGIN_ADDRESS_FAILURE_LIMIT"] = "1000"  # what is refused before it is hashed costs nothing
    with database() as vendor:
        headers, _ = prepare()
        with web_node("ASGI front") as (port, _):
            rounds = [compare(f"http://127.0.0.1:{port}", headers, number) for number in range(ROUNDS)]
    ratios = [meanwhile / usual for usual, meanwhile in rounds]
    print(f"\nGET /v1/servers while {LOGINS} log in, {vendor}")
    for usual, meanwhile in rounds:
        print(f"  usually {usual * 1000:6.1f} ms   meanwhile {meanwhile * 1000:6.1f} ms   × {meanwhile / usual:.2f}")
    print(f"  median × {statistics.median(ratios):.2f}")


def compare(root: str, headers: dict[str, str], number: int) -> tuple[float, float]:
    """Return the median time of a read, usually and while others log in, in seconds."""
    usual = median_of_reads(root, headers, lambda count: count < READS)
    with ThreadPoolExecutor(LOGINS) as pool:
        logins = [pool.submit(log_in, root, f"nobody-{number}-{one}") for one in range(LOGINS)]
        meanwhile = median_of_reads(root, headers, lambda count: not all(map(Future.done, logins)))
    return usual, meanwhile


def median_of_reads(root: str, headers: dict[str, str], go_on: Callable[[int], bool]) -> float:
    """Read again and again, five times at least; returns the median time in seconds."""
    times: list[float] = []
    while len(times) < 5 or go_on(len(times)):
        begin = time.perf_counter()
        urllib.request.urlopen(urllib.request.Request(f"{root}/v1/servers", headers=headers), timeout=60).read()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def log_in(root: str, username: str) -> None:
    """Try to log in, with a password that is wrong; refusals are expected."""
    body = json.dumps({"username": username, "password": "wrong"}).encode()
    request = urllib.request.Request(f"{root}/v1/auth/login", body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
