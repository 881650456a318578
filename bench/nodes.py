"""Web servers on the scratch database, each a process tree of its own, and what they need of memory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

FRONTS = {
    "ASGI front": "manage.py web --processes {workers}",
    "WSGI threads": "-m granian --http 1 --no-ws --backlog 2048 --log-level error --workers {workers} --port {port}"
    " --interface wsgi --blocking-threads 16 bench.threaded_front:application",
}


def database_url() -> str:
    """Return the URL of the scratch database that Django is connected to."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@contextmanager
def web_node(front: str, workers: int = 2, **settings: str) -> Iterator[tuple[int, int]]:
    """Run a web server with these settings; gives its port and the id of its first process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *FRONTS[front].format(workers=workers, port=port).split()],
        env=os.environ | {"DATABASE_URL": database_url(), "PORT": str(port), "LOG_LEVEL": "CRITICAL", **settings},
        start_new_session=True,
    )
    try:
        wait_until_healthy(port)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_healthy(port: int, seconds: float = 60) -> None:
    """Wait until the node answers. Raises OSError when it does not in time."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            return


def memory_of(pid: int) -> int:
    """Return the proportional memory (PSS) of a process and its children, in bytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return own * 1024 + sum(memory_of(int(child)) for child in children)


def processor_seconds_of(pid: int) -> float:
    """Return the processor time that a process and its children have used."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds_of(int(child)) for child in children)
