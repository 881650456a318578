"""A scratch database and a fair stopwatch."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

os.environ.setdefault("ENVIRONMENT", "development")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "provisioning.settings")


@contextmanager
def database() -> Iterator[str]:
    """Set Django up on a new, migrated database beside the configured one; gives its vendor, drops it afterwards."""
    import django

    django.setup()
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"{connection.settings_dict['NAME']}.bench"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield connection.vendor
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def race(runners: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time the runners in turn, so that a noisy moment falls on all; returns seconds a call, the warm-up left out."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, runner in runners.items():
            begin = time.perf_counter()
            runner()
            if number:
                times[name].append(time.perf_counter() - begin)
    return times


def table(title: str, times: dict[str, list[float]], peer: str, unit: float = 1000, name: str = "ms") -> None:
    """Print the median and spread of each runner, and how many times faster than the peer it is."""
    base = statistics.median(times[peer])
    print(f"\n{title}")
    for runner, values in times.items():
        middle = statistics.median(values)
        spread = f"{min(values) * unit:.2f}–{max(values) * unit:.2f}"
        print(f"  {runner:<34} {middle * unit:>9.2f} {name}  ({spread})  {base / middle:>6.1f} ×")
