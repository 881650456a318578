"""What a healthy fleet does with well- and ill-behaved steps."""

import time

import pytest
from django_q.tasks import async_task

from apps.operations import cancellation
from tests.operations.fleet import eventually
from tests.operations.probes import ledger


def test_it_runs_steps_to_their_true_end(fleet, submit, ended):
    fleet.start()
    made = [
        submit("instant", word="hello"),
        submit("wait", times=3, seconds=0.1),
        submit("fail_transiently", times=3),
        submit("refuse"),
        submit("raise_bug"),
        submit("return_unserializable"),
        submit("terminate"),
    ]
    done = ended(*made)
    assert [(one.kind, one.status, one.error_code) for one in done] == [
        ("probe.instant", "completed", ""),
        ("probe.wait", "completed", ""),
        ("probe.fail_transiently", "completed", ""),
        ("probe.refuse", "failed", "NO"),
        ("probe.raise_bug", "failed", "INTERNAL_ERROR"),
        ("probe.return_unserializable", "failed", "INTERNAL_ERROR"),
        ("probe.terminate", "completed", ""),
    ]
    assert done[0].result == {"word": "hello"}
    assert done[-1].result["code"] == done[-1].result["expected"], "a step's own child must hear SIGTERM"


@pytest.mark.slow
def test_nothing_waits_behind_long_steps_while_another_node_idles(fleet, submit, ended, began):
    fleet.start(LEASE_SECONDS="60")
    long = submit("sleep", count=2, seconds=30)
    for operation in long:
        began(operation)
    waiting = [*submit("instant", count=3), submit("wait.undoable", times=1, seconds=600)]
    time.sleep(1)
    cancellation.cancel(operation=waiting[-1])
    assert ended(waiting[-1]).status == "cancelled", "nobody was at work on it"
    fleet.start(LEASE_SECONDS="60")
    assert {one.status for one in ended(*waiting[:3], seconds=10)} == {"completed"}
    async_task("tests.operations.probes.handlers.note", "aside")
    eventually(lambda: ledger.lines("task"))
