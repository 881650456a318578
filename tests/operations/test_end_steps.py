"""A step that will not end is ended, however deep it hides; a step that kills its workers is not tried for ever."""

import time

import pytest

from apps.operations.models import Event
from tests.operations.fleet import eventually
from tests.operations.probes import ledger


@pytest.mark.slow
def test_it_ends_what_would_not_end_while_others_go_on(fleet, submit, ended):
    node = fleet.start(WORKERS="7")
    endless = {
        name: submit(name, time_limit=2) for name in ("busy_loop", "ignore_interrupts", "compute", "start_programs")
    }
    endless |= {
        "hold_gil, limited": submit("hold_gil", time_limit=2),
        "hold_gil": submit("hold_gil"),
        "die": submit("die"),
    }
    steady = submit("wait", times=12, seconds=0.5)
    others = submit("sleep", count=20, seconds=0.1)
    assert {one.status for one in ended(*others)} == {"completed"}
    done = dict(zip(endless, ended(*endless.values()), strict=True))
    assert {name: (one.status, one.error_code) for name, one in done.items()} == {
        "busy_loop": ("failed", "TIMED_OUT"),
        "ignore_interrupts": ("failed", "TIMED_OUT"),
        "compute": ("failed", "TIMED_OUT"),
        "start_programs": ("failed", "TIMED_OUT"),
        "hold_gil, limited": ("failed", "TIMED_OUT"),
        "hold_gil": ("failed", "WORKER_LOST"),
        "die": ("failed", "WORKER_LOST"),
    }
    assert [len(ledger.lines(done[name].pk, "began")) for name in ("die", "hold_gil")] == [3, 3]
    assert ended(steady).status == "completed"
    node.settled()
    seized = {
        int(pid) for name in ("hold_gil", "hold_gil, limited") for _, _, pid, _ in ledger.lines(done[name].pk, "began")
    }
    eventually(lambda: not seized & set(node.everything()), 10, "who lets no thread run is killed from without")


@pytest.mark.slow
def test_a_thawed_worker_changes_nothing(fleet, submit, ended, began):
    frozen = fleet.start()
    operation = submit("act", seconds=1)
    worker = began(operation)
    frozen.freeze()
    fleet.begin()
    assert int(ledger.lines(operation.pk, "began")[0][2]) == worker
    done = ended(operation)
    before = (done.status, done.result, done.fence, done.updated_at, lines_of(operation))
    frozen.thaw()
    time.sleep(2)
    after = ended(operation)
    assert before == (after.status, after.result, after.fence, after.updated_at, lines_of(operation))
    assert done.status == "completed"
    assert frozen.stop() < 10


def lines_of(operation):
    return list(Event.objects.filter(operation=operation.pk).values_list("seq", "message"))
