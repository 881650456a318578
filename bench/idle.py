"""What `make run` costs while nothing happens, and how long starting takes, beside another checkout of the project.

`python -m bench idle`, or `IDLE_BASE=/path/to/checkout python -m bench idle` to compare: processes, their proportional
memory (PSS), the processor's time in percent of one core, the processor seconds of `manage.py check`, and those of the
web server, with two processes as in `deploy/`, until it has answered its first request.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.nodes import memory_of, processor_seconds_of, wait_until_healthy

WARM_UP_SECONDS, SECONDS = 6, 8
STARTS = 7
HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure this checkout, and the one that IDLE_BASE names."""
    if not os.environ["DATABASE_URL"].startswith("sqlite"):
        return
    found = {"this checkout": measure(HERE)}
    if base := os.environ.get("IDLE_BASE"):
        found[base] = measure(Path(base))
    print("\n`make run` while nothing happens, on SQLite")
    for name, (processes, memory, percent, check, web) in found.items():
        rest = f"{processes:>3} processes  {memory:>6.0f} MB  {percent:>5.2f} %"
        print(f"  {name:<24} {rest}  check {check:>5.2f} s  web server {web:>5.2f} s")
    if base:
        pairs = zip(found["this checkout"], found[base], strict=True)
        ratios = [f"{ours / theirs:.2f}" if theirs else "-" for ours, theirs in pairs]
        print(f"  ratios: processes {ratios[0]}, memory {ratios[1]}, processor {ratios[2]}")
        print(f"          check {ratios[3]}, web server {ratios[4]}")


def measure(checkout: Path) -> tuple[int, float, float, float, float]:
    """Return processes, memory in MB, percent of a core, and the processor seconds of `check` and of the web server."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        given = {"VAR_DIR": folder, "DATABASE_URL": f"sqlite:///{folder}/idle.sqlite3", "PORT": str(port)}
        environment = os.environ | given | {"ENVIRONMENT": "development", "EMULATOR_MACHINES": "none"}
        run(checkout, environment)  # once before, for compiled modules
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run(checkout, environment)
        check = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        at_rest = idle(checkout, environment, port)  # it prepares the database, too
        return (*at_rest, check, min(web_server(checkout, environment, port) for _ in range(STARTS)))


def web_server(checkout: Path, environment: dict[str, str], port: int) -> float:
    """Return the processor seconds of a web server until its first answer."""
    unit = (checkout / "deploy/systemd/provisioning-web.service").read_text()
    command = re.findall(r"^ExecStart=\S+ (.*)", unit, re.MULTILINE)[0].replace("8083", str(port))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = [sys.executable, *command.split()]
    server = subprocess.Popen(words, cwd=checkout, env=environment, start_new_session=True, **quiet)
    try:
        wait_until_healthy(port, 120)
        return processor_seconds_of(server.pid)
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # some versions do not end by SIGTERM while a process of theirs starts
        server.wait()


def run(checkout: Path, environment: dict[str, str]) -> None:
    """Run `manage.py check` to its end."""
    command = [sys.executable, "manage.py", "check"]
    subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, check=True)


def idle(checkout: Path, environment: dict[str, str], port: int) -> tuple[int, float, float]:
    """Run the service and return its processes, memory in MB and percent of a core."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    service = subprocess.Popen([sys.executable, "manage.py", "dev"], cwd=checkout, env=environment, **quiet)
    try:
        wait_until_healthy(port, 120)
        time.sleep(WARM_UP_SECONDS)
        tree = descendants(service.pid)
        reapers = reapers_of(tree)
        before = sum(map(processor_seconds_of, (service.pid, *reapers)))
        time.sleep(SECONDS)
        used = sum(map(processor_seconds_of, (service.pid, *reapers))) - before
        memory = sum(map(memory_of, (service.pid, *reapers)))
        return len(tree) + len(reapers), memory / 10**6, used / SECONDS * 100
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(60)


def descendants(pid: int) -> list[int]:
    """Return the ids of a process and of all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in descendants(int(child)))]


def reapers_of(tree: list[int]) -> list[int]:
    """Return the orphan reapers of a tree, which stand beside it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            is_reaper = any(word.endswith((b"reaper.py", b"reaper_program.py")) for word in words)
            if is_reaper and {str(one).encode() for one in tree} & set(words):
                found.append(int(process.name))
    return found
