"""The doctor's look at workers, queue and clocks."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from apps.operations.models import Operation, WorkerNode
from apps.operations.worker import nodes
from tests.system.diagnosis import found

pytestmark = pytest.mark.django_db


def test_it_names_the_live_nodes_only(settings):
    nodes.register_heartbeat("here", workers=2)
    nodes.register_heartbeat("gone", workers=2)
    WorkerNode.objects.filter(pk="gone").update(seen_at=timezone.now() - timedelta(minutes=1))
    assert found("workers") == [("ok", f"1 live: here (2 processes, version {settings.VERSION}).", "")]


def test_it_fails_when_no_worker_lives():
    assert found("workers") == [("FAIL", "None is running, so nothing is done.", "Start `manage.py worker`.")]


def test_it_says_that_work_is_drained():
    nodes.drain(reason="new disks")
    [(level, message, advice)] = found("queue")
    assert level == "warn" and message.startswith("Drained since ") and "(new disks)" in message
    assert "manage.py drain --off" in advice


def test_it_fails_when_due_work_is_not_taken(workspace):
    Operation.objects.create(kind="server.create", workspace=workspace, due_at=timezone.now() - timedelta(seconds=90))
    [(level, message, _)] = found("queue")
    assert level == "FAIL" and message.startswith("The oldest operation that may be claimed has waited 90 s")


@pytest.mark.parametrize("vendor", ["postgresql"], ids=["PostgreSQL"])
def test_it_names_a_node_whose_clock_is_another(vendor):
    if connection.vendor != vendor:
        pytest.skip("nodes on SQLite share one machine's clock")
    for name, ahead in (("right", 0), ("fast", 30), ("slow", -30)):
        nodes.register_heartbeat(name, workers=2)
        nodes.register_heartbeat(name, workers=2)
        WorkerNode.objects.filter(pk=name).update(clock_at=F("clock_at") + timedelta(seconds=ahead))
    assert [(level, message) for level, message, _ in found("node clock")] == [
        ("warn", "fast is 30.0 s ahead of the database's clock."),
        ("ok", "right agrees with the database's clock."),
        ("warn", "slow is 30.0 s behind the database's clock."),
    ]


def test_it_keeps_each_node_s_own_time():
    nodes.register_heartbeat("node", workers=2)
    nodes.register_heartbeat("node", workers=2)
    node = WorkerNode.objects.get()
    assert abs(node.clock_at - timezone.now()) < timedelta(seconds=5)
