"""A step that will not end is ended, however deep it hides; a step that kills its workers is not tried for ever."""

import time

from apps.operations.models import Event
from tests.operations.probes import ledger


def test_it_ends_what_would_not_end_while_others_go_on(fleet, submit, ended):
    node = fleet.start(WORKERS="6")
    endless = {name: submit(name, time_limit=2) for name in ("spin", "cling", "compute", "employ")}
    endless |= {"seize": submit("seize", time_limit=2), "die": submit("die")}
    steady = submit("wait", times=20, seconds=0.5)
    others = submit("nap", count=20, seconds=0.1)
    assert {one.status for one in ended(*others)} == {"completed"}
    done = dict(zip(endless, ended(*endless.values()), strict=True))
    assert {name: (one.status, one.error_code) for name, one in done.items()} == {
        "spin": ("failed", "TIMED_OUT"),
        "cling": ("failed", "TIMED_OUT"),
        "compute": ("failed", "TIMED_OUT"),
        "employ": ("failed", "TIMED_OUT"),
        "seize": ("failed", "TIMED_OUT"),
        "die": ("failed", "WORKER_LOST"),
    }
    assert len(ledger.lines(done["die"].pk, "began")) == 3
    assert ended(steady).status == "completed"
    node.settled()


def test_it_replaces_a_worker_that_lets_no_thread_run(fleet, submit, ended, began):
    node = fleet.start(WORKERS="2")
    operation = submit("seize")
    first = began(operation)
    began(operation, times=2)
    assert ended(submit("instant")).status == "completed"
    done = ended(operation)
    assert (done.status, done.error_code) == ("failed", "WORKER_LOST")
    assert len(ledger.lines(operation.pk, "began")) == 3
    node.settled()
    assert first not in node.workers


def test_it_ends_an_operation_that_cannot_be_settled(fleet, submit, ended):
    fleet.start(LEASE_SECONDS="1")
    done = ended(submit("instant.unsettled"))
    assert (done.status, done.error_code) == ("failed", "WORKER_LOST")


def test_a_thawed_worker_changes_nothing(fleet, submit, ended, began):
    frozen = fleet.start()
    operation = submit("act", seconds=1)
    worker = began(operation)
    frozen.freeze()
    fleet.start()
    assert int(ledger.lines(operation.pk, "began")[0][2]) == worker
    done = ended(operation)
    before = (done.status, done.result, done.fence, done.updated_at, lines_of(operation))
    frozen.thaw()
    time.sleep(3)
    after = ended(operation)
    assert before == (after.status, after.result, after.fence, after.updated_at, lines_of(operation))
    assert done.status == "completed"
    assert frozen.stop() < 10


def lines_of(operation):
    return list(Event.objects.filter(operation=operation.pk).values_list("seq", "message"))
