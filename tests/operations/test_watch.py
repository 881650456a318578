"""The watchdog: a cluster that no longer takes due work is replaced, and one that has its reasons is not."""

import os
import signal
import time
from contextlib import ExitStack, contextmanager

import pytest

from apps.operations import services
from apps.operations.cluster.process import STUCK_SECONDS
from apps.operations.models import Lane, Operation
from tests.operations.databases import PostgreSQL, SQLite, connected
from tests.operations.fleet import Fleet
from tests.operations.probes import ledger


@pytest.fixture
def scene(databases, probes, django_db_blocker, tmp_path, monkeypatch):
    """Make fleets, each on a database of its own, all at once; gives a fleet and what enters its database."""
    with django_db_blocker.unblock(), ExitStack() as stack:

        def make(name, kind):
            url = stack.enter_context(databases(kind).fresh())
            directory = tmp_path / name
            directory.mkdir()
            fleet = Fleet({"DATABASE_URL": url}, directory)
            stack.callback(fleet.clear)
            fleet.start()

            @contextmanager
            def enter():
                monkeypatch.setitem(os.environ, "LEDGER", str(fleet.ledger))
                with connected(url):
                    yield

            return fleet.nodes[0], enter

        yield make


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
        Lane.objects.create(name="narrow", most=1)
        kept = [in_lane("probe.wait", times=1, seconds=3600), in_lane("probe.instant")]
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


def in_lane(kind, **params):
    return services.submit(kind=kind, workspace=None, actor=None, params=params, lane="narrow")
