"""Workflows of instant steps from submission to their end: in layers, in growing numbers, all at once; beside Prefect.

Prefect has dependencies of its own versions, so that it lives in an environment of its own: PREFECT_PYTHON names its
interpreter (`uv venv /tmp/prefect; uv pip install --python /tmp/prefect/bin/python prefect==3.9.1`). Its server is one
of its own, started by `prefect server start`, with an empty SQLite database.

Both are measured until the last of what was submitted can be read as completed, the states of every step included: ours
from the database, Prefect's from its server, which stores the states of task runs some time after the flow has ended.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.jobs.settings"

from bench.engine import scratch_url
from bench.processes import running
from bench.stage import database

LAYERS, ROUNDS, PATIENCE = 20, 3, 600
SIZES = (200, 1000, 2000)
PARALLEL = 1000
STEP = {"uses": "bench.step"}
PREFECT = Path(__file__).parent / "peers" / "prefect_flow.py"


def main() -> None:
    """Run all on the configured database, Prefect in turn with ours."""
    with database() as vendor, worker():
        run(layered(LAYERS))  # warm up
        with prefect_server() as server:
            compare(vendor, server)
        print(f"\nGrowing workflows in {LAYERS} layers, {vendor}")
        for size in SIZES:
            show(f"{size} steps", [run(layered(size))], size)
        print(f"\nAll at once, {vendor}")
        show(f"for_each of {PARALLEL}", [run(parallel(PARALLEL))], PARALLEL)


def compare(vendor: str, server: dict[str, str]) -> None:
    """Run 200 steps in layers, in turn with Prefect, whose server is reached by that environment, empty for none."""
    ours, prefect = [], []
    for _ in range(ROUNDS):
        ours.append(run(layered(200)))
        if server:
            prefect.append(prefect_seconds(server))
    load = os.getloadavg()[0]
    print(f"\n200 steps in {LAYERS} layers, {vendor}, submission to completed, median of {ROUNDS}, load {load:.0f}")
    show("ours", ours, 200)
    if not prefect:
        print("  Prefect: set PREFECT_PYTHON to compare")
        return
    returned, completed = ([seconds[place] for seconds in prefect] for place in (0, 1))
    show("Prefect", completed, 200)
    print(f"  ours is {statistics.median(completed) / statistics.median(ours):.1f} times as fast")
    show("  its flow returns", returned, 200)


def show(name: str, seconds: list[float], steps: int) -> None:
    """Print the median, the spread and the time for each step."""
    middle = statistics.median(seconds)
    spread = f"({min(seconds):.2f}–{max(seconds):.2f})"
    print(f"  {name:<18} {middle:>7.2f} s  {spread:<16} {middle / steps * 1000:>6.1f} ms a step")


def layered(size: int) -> dict[str, Any]:
    """Return a definition of `size` steps in layers; each needs three of the layer before."""
    width = max(size // LAYERS, 1)
    return {"title": f"{size} steps in layers", "steps": [layer_step(number, width) for number in range(size)]}


def layer_step(number: int, width: int) -> dict[str, Any]:
    """Return one step of a layer."""
    above = (number // width - 1) * width
    needs = sorted({f"s{above + (number + shift) % width}" for shift in range(3)}) if above >= 0 else []
    return {**STEP, "name": f"s{number}", "needs": needs, "with": {"number": number}}


def parallel(size: int) -> dict[str, Any]:
    """Return a definition of one step for each of so many items."""
    each = {
        "name": "each",
        "uses": "bench.step",
        "for_each": f"{{{{ range({size}) }}}}",
        "with": {"number": "{{ item }}"},
    }
    return {"title": f"{size} at once", "steps": [each]}


def run(raw: dict[str, Any]) -> float:
    """Submit a workflow and wait for its end; returns the seconds that takes."""
    from apps.operations.models import Operation
    from apps.workflows.definition import parse
    from apps.workflows.definitions import definitions
    from apps.workflows.services import submit_workflow
    from bench.peers.ours import place

    definitions()["bench"] = parse(raw)
    workspace, actor = place()
    begin = time.perf_counter()
    operation = submit_workflow(workspace=workspace.name, actor=actor, workflow_type="bench")
    row = Operation.objects.filter(pk=operation.pk).values_list("status", flat=True)
    while (status := row.get()) in ("pending", "running"):
        if time.perf_counter() - begin > PATIENCE:
            raise TimeoutError(f"a workflow of {len(raw['steps'])} steps has not ended")
        time.sleep(0.01)
    seconds = time.perf_counter() - begin
    assert status == "completed", Operation.objects.get(pk=operation.pk).error
    return seconds


def prefect_seconds(server: dict[str, str]) -> tuple[float, float]:
    """Let Prefect run the same graph; returns the seconds until the flow has returned, and until all is completed."""
    command = [os.environ["PREFECT_PYTHON"], str(PREFECT), "200", str(LAYERS)]
    done = subprocess.run(command, env=server, stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    returned, completed = done.stdout.split()[-2:]
    return float(returned), float(completed)


@contextmanager
def prefect_server() -> Iterator[dict[str, str]]:
    """Run Prefect's server; gives the environment in which its clients find it, none where it is not installed."""
    python = os.environ.get("PREFECT_PYTHON")
    if not python:
        yield {}
        return
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        url = f"http://127.0.0.1:{port}/api"
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "PREFECT_HOME": folder, "DO_NOT_TRACK": "1"}
        environment |= {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_API_URL": url}
        command = [python, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui", "--analytics-off"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until_it_answers(f"{url}/health")
            yield environment
        finally:
            process.terminate()
            process.wait(60)


def until_it_answers(url: str) -> None:
    """Wait for a server to start."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            urlopen(url).close()
            return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer")


def worker() -> AbstractContextManager[None]:
    """Run one worker node with two processes on the scratch database."""
    environment = {**os.environ, "DATABASE_URL": scratch_url(), "PYTHONPATH": str(Path.cwd()), "WORKERS": "2"}
    return running([[sys.executable, "manage.py", "worker"]], environment)
