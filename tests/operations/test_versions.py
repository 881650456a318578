"""Nodes of several versions at one database: each takes what it knows, and leaves the rest alone."""

import logging

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.operations import registry
from apps.operations.handler_api import Done
from apps.operations.models import ConcurrencyLimit, Operation, WorkerNode
from apps.operations.observability import wait_reasons
from apps.operations.queue import leases
from apps.operations.queue.broker import OperationsBroker
from apps.operations.registry import OperationKind
from apps.operations.worker import nodes
from apps.operations.worker.supervisor import node_name
from tests.system.diagnosis import found

pytestmark = pytest.mark.django_db


def submitted(kind, **facts):
    return Operation.objects.create(kind=kind, due_at=timezone.now(), **facts)


def test_two_nodes_of_one_host_name_and_process_id_have_two_names():
    assert len({node_name() for _ in range(20)}) == 20


def test_it_claims_only_kinds_that_it_knows():
    newer, known = submitted("server.teleport"), submitted("server.create")
    Operation.objects.update(due_at=leases.in_seconds(-1))
    assert [lease.operation_id for lease in leases.claim(owner="node", max_count=5)] == [known.pk]
    newer.refresh_from_db()
    assert (newer.status, newer.lease_owner, newer.fence) == ("pending", "", 0)
    assert leases.peek_next() is None, "the watchdog does not take it for work that is left lying"


def test_a_kind_that_no_live_worker_knows_is_explained(settings):
    operation = submitted("server.teleport")
    nodes.register_heartbeat("old", workers=2)
    reason = wait_reasons.wait_reason(operation)
    assert (reason.code, reason.data["versions"]) == ("UNKNOWN_KIND", [settings.VERSION])
    WorkerNode.objects.create(name="new", workers=2, version="9.9.9", kinds="server.create server.teleport")
    assert wait_reasons.wait_reason(operation).code == "QUEUED"


def test_nodes_tell_their_version(api, root, settings):
    nodes.register_heartbeat("old", workers=2)
    assert WorkerNode.objects.get().kinds.split() == list(registry.kinds())
    assert f"version {settings.VERSION}" in found("workers")[0][1]
    WorkerNode.objects.create(name="new", workers=2, version="9.9.9")
    [(level, message, advice)] = found("workers")
    assert (level, "version 9.9.9" in message, "upgrade" in advice) == ("warn", True, True)
    text = api(root).get("/metrics").content.decode()
    assert 'provisioning_live_nodes{version="9.9.9"} 1.0' in text
    assert f'provisioning_live_nodes{{version="{settings.VERSION}"}} 1.0' in text


def test_an_operation_that_this_version_cannot_undo_says_so(monkeypatch, run_worker):
    """A newer version has cancelled what it could undo; here the kind is known, and has nothing that undoes."""
    monkeypatch.setattr(registry, "_kinds", registry.kinds())
    registry.register_kinds([OperationKind(name="probe.old", title="Old", run=lambda context: Done())])
    now = timezone.now()
    operation = submitted("probe.old", status="cancelled", started_at=now, cancel_requested_at=now)
    run_worker()
    operation.refresh_from_db()
    assert (operation.status, operation.due_at, operation.error_code) == ("cancelled", None, "NO_COMPENSATION")
    assert operation.error.startswith("Cancelled, but not everything could be undone")
    assert "probe.old" in operation.error


@pytest.mark.parametrize("others", [0, 1])
def test_a_task_that_it_does_not_know_is_left_to_a_newer_node(others, caplog):
    caplog.set_level(logging.INFO)
    if others:
        WorkerNode.objects.create(name="new", workers=2, version="9.9.9")
    broker = OperationsBroker()
    async_task("apps.servers.services.teleport.teleport_all", broker=broker)
    assert list(broker.unpacked(broker.dequeue())) == []
    assert OrmQ.objects.count() == others
    assert not broker.dequeue(), "it is not taken again at once"
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


def test_what_is_claimed_and_not_begun_fills_a_limit_as_it_does_for_the_claim():
    nodes.register_heartbeat("node", workers=2)
    ConcurrencyLimit.objects.create(name="narrow", max_running=1)
    for _ in range(2):
        submitted("server.create", limit_key="narrow")
    Operation.objects.update(due_at=leases.in_seconds(-1))
    [lease] = leases.claim(owner="node", max_count=5)
    reason = wait_reasons.wait_reason(Operation.objects.exclude(pk=lease.operation_id).get())
    assert (reason.code, reason.data) == ("LIMIT_REACHED", {"limit": "narrow", "max_running": 1, "running": 1})
