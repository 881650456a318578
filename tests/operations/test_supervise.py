"""The worker's own processes: nothing of the node outlives it, and it outlives the death of any of its parts."""

import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from apps.operations.models import Operation
from tests.operations.databases import SQLite
from tests.operations.fleet import eventually
from tests.operations.probes import ledger
from tests.operations.processes import children, is_alive, reapers_of

pytestmark = pytest.mark.parametrize("system", [SQLite], indirect=True)
ORPHANS_SECONDS = 5
WAYS = {"program", "daemon", "session", "hidden", "fork"}


@pytest.mark.slow
def test_it_goes_on_when_its_sentinel_is_killed_while_it_starts(fleet, submit, ended):
    node = fleet.begin()
    for _ in range(3):
        sentinel = eventually(lambda: starting_sentinel(node.pid))
        os.kill(sentinel, signal.SIGKILL)
        eventually(lambda pid=sentinel: not is_alive(pid), 5)
    node.settled()
    assert ended(submit("instant")).status == "completed"
    assert node.stop() < 10
    assert node.process.returncode == 0


def starting_sentinel(parent):
    """The worker's child that was forked from it, and not one that runs another program."""
    with suppress(OSError, StopIteration):
        return next(pid for pid in children(parent) if b"manage.py" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_it_ends_whole_when_its_main_loop_fails(fleet, submit, began):
    operation = submit("start_programs")
    node = fleet.begin(BROKEN_TIMER="yes", LEASE_SECONDS="60")
    began(operation)
    node.everything()
    assert node.process.wait(15) == 1
    assert "ValueError" in fleet.log.read_text()
    assert not node.leavings()
    assert not any(is_alive(int(words[2])) for words in ledger.lines(operation.pk, "child"))
    assert Operation.objects.get(pk=operation.pk).lease_owner == "", "it may be taken up at once"


def test_a_sentinel_that_fails_takes_its_cluster_with_it_and_is_replaced(fleet, submit, began):
    node = fleet.start(LEASE_SECONDS="60")
    operation = submit("start_programs")
    busy = began(operation)
    programs = eventually(lambda: len(found := ledger.lines(operation.pk, "child")) == 2 and found)
    first = [node.sentinel, *node.crew()]
    resource.prlimit(first[0], resource.RLIMIT_NOFILE, (3, 3))  # it can open nothing more, and so start nobody
    node.kill(next(pid for pid in node.workers if pid != busy))
    eventually(lambda: not any(map(is_alive, first)), 15, "the end of the whole cluster")
    eventually(lambda: not any(is_alive(int(words[2])) for words in programs), 15, "the end of the step's programs")
    assert "the cluster's sentinel failed" in fleet.log.read_text()
    began(operation, times=2, seconds=30)
    assert node.settled().sentinel != first[0]


def test_no_program_of_a_step_outlives_a_node_whose_processes_are_all_killed_at_once(fleet, submit):
    node = fleet.start(LEASE_SECONDS="60")
    operation = submit("start_daemons")
    programs = eventually(lambda: (found := programs_of(operation)).keys() >= WAYS and found, what="all programs")
    processes = [node.pid, node.sentinel, *node.crew()]
    assert len(processes) == 5 and not set(processes) & set(programs.values())
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in processes:
            os.kill(pid, number)
    node.process.wait(10)
    alive = lambda: {how: pid for how, pid in programs.items() if is_alive(pid)}  # noqa: E731
    eventually(lambda: not alive(), ORPHANS_SECONDS, "the end of every program")


@pytest.mark.slow
def test_it_replaces_a_killed_orphan_reaper(fleet, submit):
    node = fleet.start(LEASE_SECONDS="60")
    [first] = eventually(lambda: reapers_of(node.pid), 10)
    os.kill(first, signal.SIGKILL)
    [second] = eventually(lambda: (found := reapers_of(node.pid)) and found != [first] and found, 10)
    assert node.stop() < 10
    eventually(lambda: not is_alive(second), 5, "the reaper's end with its node")


def programs_of(operation):
    return {how: int(pid) for _, _, how, pid in ledger.lines(operation.pk, "child")}
