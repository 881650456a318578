"""SIGTERM ends a worker within ten seconds, in order: nothing is cut off that had time, nothing is kept."""

import os
import signal
import time

import pytest

from apps.operations.models import DrainMode, Operation
from apps.operations.models import WorkerNode as NodeRow
from tests.operations.databases import SQLite
from tests.operations.fleet import Node
from tests.operations.probes import ledger
from tests.operations.processes import is_alive
from tests.quiet_clock import QuietClock

STOP_SECONDS = 10


@pytest.mark.slow
def test_it_stops_within_ten_seconds_and_hands_back(fleet, submit, ended, began):
    nodes = fleet.start(2, LEASE_SECONDS="60")
    long, short = submit("start_programs", count=2), submit("sleep", count=2, seconds=2)
    for operation in (*long, *short):
        began(operation)
    waiting = submit("sleep", count=4, seconds=60)
    for node in nodes:
        node.everything()
    with QuietClock() as clock:
        for node, group in zip(nodes, (False, True), strict=True):
            os.killpg(node.pid, signal.SIGTERM) if group else node.process.terminate()
        codes = [node.process.wait(60) for node in nodes]
    assert clock.seconds < STOP_SECONDS
    assert codes == [0, 0]
    assert not any(node.leavings() for node in nodes)

    assert set(Operation.objects.filter(pk__in=[one.pk for one in short]).values_list("status", flat=True)) == {
        "completed"
    }, "six seconds of grace"
    assert all(len(ledger.lines(one.pk, "began")) == 1 for one in (*long, *short))
    handed_back = Operation.objects.filter(pk__in=[one.pk for one in (*long, *waiting)])
    assert set(handed_back.values_list("lease_owner", "crash_count")) == {("", 0)}
    programs = [int(pid) for one in long for _, _, pid in ledger.lines(one.pk, "child")]
    assert len(programs) == 4
    assert not any(map(is_alive, programs))
    assert not NodeRow.objects.exists()

    handed_back.filter(kind="probe.sleep").update(due_at=None, status="cancelled")
    node = fleet.start(LEASE_SECONDS="60")
    for operation in long:
        began(operation, times=2)
    assert is_alive(node.pid)


@pytest.mark.slow
@pytest.mark.parametrize("system", [SQLite], indirect=True)
def test_it_stops_at_any_moment_of_its_start(fleet):
    for delay in (0.3, 0.8, 1.2, 1.6):
        node = Node(fleet.environment, fleet.log)
        fleet.nodes.append(node)
        time.sleep(delay)
        node.everything()
        assert node.stop(group=True) < STOP_SECONDS
        node.clear()
    assert "Traceback" not in fleet.log.read_text()


@pytest.mark.slow
def test_a_rolling_restart_loses_and_repeats_nothing(fleet, submit, ended, began):
    old = fleet.start(2)
    made = submit("act", count=80, seconds=0.05)
    began(made[0])
    new = [fleet.begin() for _ in old]
    for node, successor in zip(old, new, strict=True):
        successor.settled()
        assert node.stop() < STOP_SECONDS
        made += submit("act", count=20, seconds=0.05)
    done = ended(*made)
    assert {(one.status, one.crash_count) for one in done} == {("completed", 0)}
    assert [len(ledger.lines(one.pk, "began")) for one in made] == [1] * len(made), "each step was run once"
    assert [len(ledger.lines(one.pk, "effect")) for one in made] == [1] * len(made)


def test_a_drain_stops_claiming_only(fleet, submit, ended, began):
    fleet.start()
    running = submit("sleep", seconds=1)
    began(running)
    DrainMode.objects.create(reason="maintenance")
    kept_waiting = submit("instant")
    assert ended(running).status == "completed"
    time.sleep(1)
    assert Operation.objects.get(pk=kept_waiting.pk).status == "pending"
    DrainMode.objects.all().delete()
    assert ended(kept_waiting).status == "completed"
