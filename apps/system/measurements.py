"""Counters and histograms of all processes of this node, added up in one small file.

Each process measures in memory. Two seconds after it has measured something, it adds what is new to the totals in
`settings.MEASUREMENTS`: under a lock, into a new file that takes the old one's place. With thousands of samples it
waits up to ten seconds, as writing may take 2 % of its time. Nothing is memory-mapped, no failure reaches a caller, and
what could not be written stays in memory for the next try. A damaged file is replaced; Prometheus takes the smaller
counters for those of a restart.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 10.0
WRITING_SHARE = 0.02  # of a process's time
ADDED_UP = ("counter", "histogram", "summary")
OF_ONE_PROCESS = ("python_", "process_")

Key = tuple[str, tuple[tuple[str, str], ...]]  # a sample's name and its labels
Families = dict[str, tuple[str, str, dict[Key, float]]]  # by name: type, description, samples


class Totals:
    """What this process has measured since it last wrote, and when to write it.

    A forked child inherits its parent's numbers; they become its baseline, so that it adds only its own.
    """

    def __init__(self, pause: float = PAUSE_SECONDS) -> None:
        self._written: Families = {}
        self._shortest_pause = self._pause = pause
        self._begin()

    def _begin(self) -> None:
        """Start in a new process, with a lock that no vanished thread holds."""
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._timer: threading.Timer | None = None

    def expect(self) -> None:
        """Call this before measuring: in a moment there is something to write."""
        if self._owner != os.getpid():
            self._begin()
            self._written = measured()
        if self._timer is None:
            self._timer = threading.Timer(self._pause, self._write_later)
            self._timer.daemon = True
            self._timer.start()

    def _write_later(self) -> None:
        self._timer = None
        began = time.thread_time()
        self.write()
        wanted = (time.thread_time() - began) / WRITING_SHARE
        self._pause = min(LONGEST_PAUSE_SECONDS, max(self._shortest_pause, wanted))

    def write(self) -> None:
        """Add what is new to the file, unless disk or another process are in the way."""
        with self._lock:
            now = measured()
            try:
                with locked(settings.MEASUREMENTS):
                    replace(settings.MEASUREMENTS, added(read(settings.MEASUREMENTS), new_in(now, self._written)))
            except OSError as error:
                logger.debug("measurements stay in memory: %s", error)
            else:
                self._written = now

    def current(self) -> Families:
        """Return the totals of this node, with what this process has not written yet."""
        with self._lock:
            return added(read(settings.MEASUREMENTS), new_in(measured(), self._written))


TOTALS = Totals()


class NodeTotals(Collector):
    """The totals as Prometheus' library collects them."""

    def collect(self) -> Iterator[Metric]:
        """Yield each family with its samples."""
        for name, (kind, text, samples) in TOTALS.current().items():
            metric = Metric(name, text, kind)
            for (sample, labels), value in samples.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def text(*collectors: Collector) -> bytes:
    """Return the totals, and what the collectors add, in Prometheus' text format."""
    registry = CollectorRegistry()
    for collector in (NodeTotals(), *collectors):
        registry.register(collector)
    return generate_latest(registry)


def measured() -> Families:
    """Return what this process has measured since it began."""
    found: Families = {}
    for metric in REGISTRY.collect():
        if metric.type in ADDED_UP and not metric.name.startswith(OF_ONE_PROCESS):
            samples = {
                (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
                for sample in metric.samples
                if not sample.name.endswith("_created")
            }
            found[metric.name] = (metric.type, metric.documentation, samples)
    return found


def new_in(now: Families, before: Families) -> Families:
    """Return how much each sample has grown."""
    grown: Families = {}
    for name, (kind, text, samples) in now.items():
        _, _, old = before.get(name, (kind, text, {}))
        grown[name] = (kind, text, {key: value - old.get(key, 0.0) for key, value in samples.items()})
    return grown


def added(totals: Families, grown: Families) -> Families:
    """Return both, added up."""
    for name, (kind, text, samples) in grown.items():
        _, _, sums = totals.get(name, (kind, text, {}))
        for key, value in samples.items():
            sums[key] = sums.get(key, 0.0) + value
        totals[name] = (kind, text, sums)
    return totals


def read(path: Path) -> Families:
    """Return the totals of the file; none when it is not there, cannot be read or is damaged."""
    try:
        content = orjson.loads(path.read_bytes())
        return {
            str(name): (
                str(kind),
                str(text),
                {
                    (str(key), tuple((str(k), str(v)) for k, v in labels)): float(value)
                    for key, labels, value in samples
                },
            )
            for name, (kind, text, samples) in content.items()
            if kind in ADDED_UP
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s is damaged; its numbers begin anew: %s", path, type(error).__name__)
        return {}


def replace(path: Path, totals: Families) -> None:
    """Write a new file and put it in the old one's place. Raises OSError."""
    content = {
        name: (kind, text, [(sample, labels, value) for (sample, labels), value in samples.items()])
        for name, (kind, text, samples) in totals.items()
    }
    new = path.with_suffix(".new")
    try:
        new.write_bytes(orjson.dumps(content))
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from writing. Raises OSError when one is at it, or when there can be no lock."""
    with path.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
