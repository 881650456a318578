"""Tracked operations against task queues that do the same tracked work, in interleaved rounds of one run."""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.jobs.settings"

from bench.stage import database

ROUNDS = 3
PEERS = ("ours", "huey", "dramatiq", "procrastinate", "stock", "rq_simple", "celery", "rq")


def main() -> None:
    """Race all on PostgreSQL, which needs Redis too and empties its database 15; on SQLite, ours alone."""
    with database() as vendor:
        chosen = os.environ.get("BENCH_PEERS", "").split(",")
        names = [name for name in PEERS if name in chosen or chosen == [""]] if vendor == "postgresql" else ["ours"]
        rounds = [{name: turn(name, "throughput") for name in names} for _ in range(ROUNDS)]
        show_rates(vendor, rounds)
        show_latencies(vendor, {name: turn(name, "latency") for name in names})


def turn(name: str, what: str) -> dict[str, Any]:
    """Let one contender have its turn on the scratch database."""
    environment = {**os.environ, "BENCH_PEER": name, "DATABASE_URL": scratch_url(), "PYTHONPATH": str(Path.cwd())}
    environment["PYTHONWARNINGS"] = "ignore"  # django-q2's defaults warn of themselves
    command = [sys.executable, "-m", "bench.contest", name, what]
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def scratch_url() -> str:
    """Return the configured URL with the scratch database's name in it."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"]).lstrip("/")
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")).replace("sqlite:/", "sqlite:////")


def title(name: str) -> str:
    """Return what a contender calls itself."""
    return importlib.import_module(f"bench.peers.{name}").TITLE


def show_rates(vendor: str, rounds: list[dict[str, Any]]) -> None:
    """Print medians and spreads, and how many times faster ours is."""
    print(f"\nTracked operations a second, {vendor}, 2 workers each, median of {len(rounds)} rounds")
    ours = statistics.median(one["ours"]["done"] for one in rounds) if "ours" in rounds[0] else 0
    for name in rounds[0]:
        done, enqueued = ([one[name][key] for one in rounds] for key in ("done", "enqueued"))
        middle = statistics.median(done)
        spread = f"({min(done):.0f}–{max(done):.0f})"
        queued = f"queued {statistics.median(enqueued):>6.0f}/s"
        print(f"  {title(name):<24} {middle:>6.0f}/s  {spread:<12} {queued}  ours is {ours / middle:>5.2f} ×")


def show_latencies(vendor: str, turns: dict[str, Any]) -> None:
    """Print percentiles."""
    print(f"\nMilliseconds from submission, idle, {vendor}, {len(turns['ours']['started'])} samples each")
    for name, times in turns.items():
        print(
            f"  {title(name):<24} started {percentiles(times['started'])}   completed {percentiles(times['completed'])}"
        )


def percentiles(seconds: Iterable[float]) -> str:
    """Return the median and the 99th percentile."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:>6.1f}  p99 {cuts[98] * 1000:>6.1f}"
