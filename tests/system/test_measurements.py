"""Counters of a node's processes: added up in one file, and never in the way of the service."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import Counter, Histogram

from apps.system import measurements
from apps.system.measurements import Totals

TRIED = Counter("tests_tried", "What the tests have tried.", ["of"])
TOOK = Histogram("tests_took_seconds", "How long it took.", buckets=(1, 10))
ROOT = Path(__file__).parent.parent.parent
DAMAGE = [b"", b"\0" * 4096, b"{", b"[]", b"null", b'{"a": 1}', b'{"a": ["counter", "", [["x"]]]}', b"\xff\xfe", b'"x"']


@pytest.fixture(autouse=True)
def file(settings, tmp_path):
    """A file of measurements that this process itself does not write to meanwhile."""
    if waiting := measurements.TOTALS._timer:
        waiting.join()
    settings.MEASUREMENTS = tmp_path / "measurements.json"
    return settings.MEASUREMENTS


@pytest.fixture
def process():
    """Return what keeps the numbers of one process; its own begin now."""

    def new(**given):
        totals = Totals(**given)
        totals._written = measurements.measured()
        return totals

    return new


def tried(families, of="a"):
    return families["tests_tried"][2].get(("tests_tried_total", (("of", of),)), 0)


def test_it_adds_up_what_processes_measure(process, file):
    first, second = process(), process()
    TRIED.labels("a").inc(3)
    TOOK.observe(5)
    assert tried(first.current()) == 3  # at once in the process itself
    first.write()
    second._written = measurements.measured()
    TRIED.labels("a").inc(4)
    second.write()
    third = process()
    assert tried(third.current()) == 7
    samples = third.current()["tests_took_seconds"][2]
    assert [samples["tests_took_seconds_bucket", (("le", le),)] for le in ("1.0", "10.0", "+Inf")] == [0, 1, 1]
    assert samples["tests_took_seconds_sum", ()] == 5
    first._written = measurements.measured()
    first.write()
    first.write()
    assert tried(third.current()) == 7  # nothing twice


@pytest.mark.parametrize("content", DAMAGE)
def test_it_begins_anew_after_a_damaged_file(content, process, file):
    totals = process()
    file.write_bytes(content)
    TRIED.labels("a").inc()
    assert tried(totals.current()) == 1
    totals.write()
    assert tried(json.loads(file.read_bytes()) and totals.current()) == 1


@pytest.mark.parametrize("obstacle", ["folder", "lock", "nothing"])
def test_it_keeps_in_memory_what_cannot_be_written(obstacle, process, file):
    totals = process()
    TRIED.labels("a").inc(2)
    if obstacle == "folder":
        file.mkdir()
        (file / "x").touch()
    if obstacle == "lock":
        file.with_suffix(".lock").mkdir()
    if obstacle == "nothing":
        measurements.settings.MEASUREMENTS = file.parent / "gone" / file.name
    totals.write()
    assert tried(totals.current()) == 2
    measurements.settings.MEASUREMENTS = file.parent / "other.json"
    totals.write()
    assert tried(process().current()) == 2


def test_it_waits_for_no_lock(process, file):
    totals = process()
    TRIED.labels("a").inc(2)
    with measurements.locked(file):
        totals.write()
    assert not file.exists()
    totals.write()
    assert tried(process().current()) == 2


def test_it_does_not_count_a_parents_numbers_again_in_its_child(process, file):
    totals = process()
    TRIED.labels("a").inc(5)
    child = os.fork()
    if child == 0:
        totals.expect()
        TRIED.labels("a").inc(1)
        totals.write()
        os._exit(0)
    os.waitpid(child, 0)
    totals.write()
    assert tried(totals.current()) == 6


def test_it_loses_nothing_among_threads_and_processes(process, file):
    code = f"""
from pathlib import Path
from django.conf import settings
settings.configure(MEASUREMENTS=Path({str(file)!r}))
from prometheus_client import Counter
from apps.system.measurements import TOTALS, measured
import time
tried = Counter("tests_tried", "What the tests have tried.", ["of"])
for _ in range(50):
    tried.labels("b").inc()
    TOTALS.write()
while TOTALS._written != measured():
    TOTALS.write()
    time.sleep(0.01)
"""
    children = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert tried(process().current(), "b") == 150


def test_it_survives_a_full_disk(process, file):
    """A limit on the size of files stands for the disk: writing fails in the middle."""
    totals = process()
    TRIED.labels("a").inc()
    totals.write()
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        TRIED.labels("a").inc()
        totals.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert file.read_bytes() == before and not file.with_suffix(".new").exists()
    totals.write()
    assert tried(process().current()) == 2


def test_it_writes_a_moment_after_something_was_measured(process, file):
    totals = process(pause=0.01)
    totals.expect()
    TRIED.labels("a").inc()
    await_writing(totals)
    assert tried(process().current()) == 1


def test_the_more_it_has_to_write_the_longer_it_waits(process, file):
    totals = process(pause=0.001)
    for number in range(3000):
        TRIED.labels(f"{number}").inc()
    totals.expect()
    await_writing(totals)
    began = time.thread_time()
    totals.write()
    totals.expect()
    assert totals._timer.interval > 5 * (time.thread_time() - began)
    totals._timer.cancel()
    TRIED.clear()


def await_writing(totals):
    if (timer := totals._timer) is not None:
        timer.join(10)
