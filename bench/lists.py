"""Lists with many rows against the same lists with a few pages of rows: the API's and the admin's, page by page.

Both render as many rows; what differs is what the database has to do. `LISTS_OPERATIONS` says how many operations there
are, by default 100,000. With `LISTS_KEEP=/folder`, the two databases stay for the next run. `LISTS_ONLY=text` takes the
paths with that text in them. `LISTS_CLOCK=cpu` measures time of the processor instead of the wall's, for a machine that
has other work meanwhile: this process's, and that of the process which PostgreSQL, on the same machine, has for it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bench.stage  # noqa: F401 - sets the environment

os.environ.setdefault("LOG_LEVEL", "warning")  # no line for each request among the results
from bench.list_paths import ADMIN_PATHS, NEXT_PATHS, OPERATION_PATHS, OTHER_PATHS
from bench.list_rows import LINES, SHORT_LINES, fill

OPERATIONS = int(os.environ.get("LISTS_OPERATIONS", "100000"))
COUNTS_CPU = os.environ.get("LISTS_CLOCK") == "cpu"
if COUNTS_CPU:
    os.environ["PGOPTIONS"] = "-c max_parallel_workers_per_gather=0"  # all of a query in one process
FEW, SERVERS, TIMES, MAX_TIMES = 200, 20_000, 5, 15
MAX_SECONDS, MAX_RATIO, MAX_LOG_SECONDS = 0.050, 1.5, 0.3


class Base(NamedTuple):
    """One of the two databases: its name, what opens a path on it, and the paths of an operation with a long log."""

    name: str
    get: Callable[[str], Any]
    logs: tuple[str, str]


def main() -> None:
    """Run on the configured database. Raises SystemExit when a list takes too long."""
    import django

    django.setup()
    only = os.environ.get("LISTS_ONLY", "")
    with databases() as (vendor, few, full):
        pages = {path: (path, path) for path in (*OPERATION_PATHS, *OTHER_PATHS, *ADMIN_PATHS) if only in path}
        with connected(few):
            few_base = Base(few, *fill(vendor, FEW, servers=FEW))
        with connected(full):
            full_base = Base(full, *fill(vendor, OPERATIONS, servers=SERVERS))
        with connected(full):
            pages |= {f"next of {path}": (path, next_page(full_base, path)) for path in NEXT_PATHS if only in path}
        for kind, short, long in zip(("page", "lines"), few_base.logs, full_base.logs, strict=True):
            if only in kind:
                pages[f"{kind} of an operation with a log of {LINES:,}"] = (short, long)
        slow = [name for name, paths in pages.items() if is_slow(name, few_base, full_base, paths)]
        if only in "lines" and is_log_slow(few_base, full_base):
            slow.append("whole log")
        print(
            f"{len(slow)} of {len(pages)} lists take too long: {OPERATIONS:,} operations, {SERVERS:,} servers, {vendor}"
        )
    if slow:
        raise SystemExit(1)


def is_slow(name: str, few: Base, full: Base, paths: tuple[str, str]) -> bool:
    """Print the best time of a path on both databases; tell whether it takes too long with many rows.

    A list that shows nothing of a few rows, but does of many, is compared with the first page of the few.
    """
    with connected(few.name):
        base = max(seconds(few.get, paths[0]), seconds(few.get, paths[0].partition("?")[0] + first_page(paths[0])))
    most = max(MAX_SECONDS, MAX_RATIO * base)
    with connected(full.name):
        took = seconds(full.get, paths[1], good=most)
    slow = took > most
    print(f"  {name:<92} {base * 1000:>7.1f} ms {took * 1000:>7.1f} ms {'TOO LONG' if slow else ''}", flush=True)
    return slow


def is_log_slow(few: Base, full: Base) -> bool:
    """Print the best times of a short log and of one of LINES lines, each whole; tell whether that takes too long."""
    paths = [base.logs[1].partition("?")[0] for base in (few, full)]
    with connected(few.name):
        short = seconds(few.get, paths[0])
    with connected(full.name):
        took = seconds(full.get, paths[1], good=MAX_LOG_SECONDS)
    slow = took > MAX_LOG_SECONDS
    name = f"all lines of logs of {SHORT_LINES} and {LINES:,}"
    times = f"{short * 1000:>7.1f} ms {took * 1000:>7.1f} ms"
    print(f"  {name:<92} {times} {took / short:.0f} times {'TOO LONG' if slow else ''}", flush=True)
    return slow


def next_page(base: Base, path: str) -> str:
    """Return the address of the page that follows one; the page's own where it is the last."""
    links = base.get(path)["Link"]
    found = re.search(r'<https?://[^/]+([^>]+)>; rel="next"', links)
    return found[1] if found else path


def first_page(path: str) -> str:
    """Return the query of a list's first page."""
    return "?page=1" if path.startswith("/v1/") and "/events" not in path else ""


@contextmanager
def databases() -> Iterator[tuple[str, str, str]]:
    """Create or find the two databases; gives vendor and names."""
    from django.db import connection

    folder = os.environ.get("LISTS_KEEP", "")
    configured = str(connection.settings_dict["NAME"])
    names = []
    for rows in (FEW, OPERATIONS):
        base = f"{folder}/lists" if folder and connection.vendor == "sqlite" else configured
        connection.settings_dict["NAME"] = configured
        connection.settings_dict["TEST"]["NAME"] = f"{base}_{rows}"
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=bool(folder))
        names.append(str(connection.settings_dict["NAME"]))
        connection.close()
    try:
        yield connection.vendor, names[0], names[1]
    finally:
        for name in names if not folder else ():
            connection.settings_dict["NAME"] = name
            connection.creation.destroy_test_db(configured, verbosity=0)


@contextmanager
def connected(name: str) -> Iterator[None]:
    """Let Django work with this one of the two databases."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection

    from provisioning.dashboard.outcomes import hourly

    connection.close()
    connection.settings_dict["NAME"] = name
    ContentType.objects.clear_cache()
    hourly.forget()
    yield
    connection.close()


def seconds(get: Callable[[str], Any], path: str, good: float = 0) -> float:
    """Return the best time of opening a path, which the machine's other work touches least; try on until it is good."""
    get(path)
    times: list[float] = []
    while len(times) < TIMES or (min(times) > good and len(times) < MAX_TIMES):
        begin = clock()
        get(path)
        times.append(clock() - begin)
    return min(times)


def clock() -> float:
    """Return the seconds that LISTS_CLOCK asks for, since some moment."""
    from django.db import connection

    if not COUNTS_CPU:
        return time.perf_counter()
    used = time.process_time()
    if connection.vendor == "postgresql":
        used += int(Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9
    return used
