"""The watchdog: a cluster that no longer takes due work is replaced, and one that has its reasons is not."""

import os
import signal
import time

import pytest

from apps.operations import services
from apps.operations.models import ConcurrencyLimit, Operation
from apps.operations.worker.supervisor import STUCK_SECONDS
from tests.operations.databases import PostgreSQL, SQLite
from tests.operations.probes import ledger


@pytest.mark.slow
def test_it_replaces_a_stuck_cluster_and_no_other(scene, submit, ended):
    """All at once, for it takes half a minute."""
    stuck = []
    for kind in (SQLite, PostgreSQL):
        node, enter = scene(kind.__name__, kind)
        with enter():
            os.kill(node.pusher, signal.SIGSTOP)
            stuck.append((node, node.sentinel, enter, submit("act")))
    capped, enter_capped = scene("capped", SQLite)
    healthy = capped.sentinel
    with enter_capped():
        ConcurrencyLimit.objects.create(name="narrow", max_running=1)
        kept = [in_limit("probe.wait", times=1, seconds=3600), in_limit("probe.instant")]
    began_at = time.monotonic()
    for node, first, enter, operation in stuck:
        with enter():
            assert ended(operation, seconds=STUCK_SECONDS + 60).status == "completed"
            assert len(ledger.lines(operation.pk, "effect")) == 1
        node.settled()
        assert node.sentinel != first
    time.sleep(max(0, began_at + STUCK_SECONDS + 5 - time.monotonic()))
    assert capped.sentinel == healthy, "work that a cap holds back is no reason"
    with enter_capped():
        assert [Operation.objects.get(pk=one.pk).status for one in kept] == ["running", "pending"]


def in_limit(kind, **params):
    return services.submit(kind=kind, workspace=None, actor=None, params=params, limit_key="narrow")
