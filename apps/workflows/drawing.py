"""Draw graphs with Graphviz: the system's `dot`, else the one of the wheel graphviz-pure, as a program."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

from apps.workflows.errors import GraphTooLarge, GraphvizBusy, GraphvizFailed, GraphvizMissing

MAX_NODES, MAX_EDGES = 400, 1200
TIME_LIMIT = 5.0  # seconds; 400 nodes with 400 edges take about 0.2, with 1,200 edges 2
MAX_WAITING = 3  # requests, each of which holds a thread of the web server
one_at_a_time = threading.Lock()
places = threading.BoundedSemaphore(1 + MAX_WAITING)


def program() -> list[str]:
    """Return the command that draws. Raises GraphvizMissing."""
    if dot := shutil.which("dot"):
        return [dot]
    wheel = Path(sys.executable).parent / "graphviz-pure"
    if wheel.is_file():
        return [str(wheel), "-Kdot"]
    raise GraphvizMissing


def draw(dot: str, nodes: int) -> bytes:
    """Return the SVG of a graph in the DOT language.

    Raises GraphTooLarge, GraphvizMissing, GraphvizBusy, GraphvizFailed.
    """
    edges = dot.count(" -> ")
    if nodes > MAX_NODES or edges > MAX_EDGES:
        raise GraphTooLarge(nodes=nodes, edges=edges, most=MAX_NODES, most_edges=MAX_EDGES)
    svg = drawn(dot, tuple(program()))
    if not svg:
        raise GraphvizFailed(seconds=TIME_LIMIT)
    return svg


@lru_cache(maxsize=256)
def drawn(dot: str, command: tuple[str, ...]) -> bytes:
    """Return the SVG; empty where it takes too long. The same graph, states included, is drawn once.

    Raises GraphvizBusy, GraphvizFailed.
    """
    if not places.acquire(blocking=False):
        raise GraphvizBusy(headers={"Retry-After": "1"})
    try:
        with one_at_a_time:
            return made(dot, command)
    finally:
        places.release()


def made(dot: str, command: tuple[str, ...]) -> bytes:
    """Run the program; returns nothing where it takes too long. Raises GraphvizFailed."""
    try:
        done = subprocess.run(  # noqa: S603 - a program of ours, the graph is its input
            [*command, "-Tsvg"], input=dot.encode(), capture_output=True, timeout=TIME_LIMIT, check=True
        )
    except subprocess.TimeoutExpired:
        return b""
    except (subprocess.SubprocessError, OSError) as error:
        raise GraphvizFailed(seconds=TIME_LIMIT) from error
    return done.stdout[done.stdout.index(b"<svg") :]
