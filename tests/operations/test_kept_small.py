"""What goes on for ever stays small: logs of comparisons, upkeep's own operations, and what a scrape costs."""

import time
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.operations import retention
from apps.operations.models import Operation, Tally
from tests.console import act, an_operation, browser, seeded
from tests.servers.drift import compare, lines, marked


def test_a_comparison_logs_an_orphan_once(account, cloud, run_worker):
    cloud.create("stray-01", labels=marked("srv-0123456789abcdef"))
    first, second = compare(run_worker), compare(run_worker)
    assert "stray-01" in lines(first)
    assert "stray-01" not in lines(second)
    assert first.result["orphans"] == second.result["orphans"] != []


def test_upkeep_s_own_operations_are_kept_for_two_days(workspace):
    at = timezone.now() - timedelta(days=3)
    for kind in ("servers.compare", "catalog.refresh", "server.create"):
        an_operation(workspace, kind=kind, status="completed", due_at=None, ended_at=at)
    Operation.objects.update(created_at=at)
    retention.daily()
    assert list(Operation.objects.values_list("kind", flat=True)) == ["server.create"]


def test_a_scrape_does_not_count_the_whole_table_each_time(api, root, workspace):
    an_operation(workspace, kind="server.create", status="completed", due_at=None, ended_at=timezone.now())
    client = api(root)
    first = client.get("/metrics").content.decode()
    assert 'provisioning_operations{kind="server.create",status="completed"} 1.0' in first
    an_operation(workspace, kind="server.create")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get("/v1/metrics").json()["tasks"] == {"total": 2, "running": 0}
        second = client.get("/metrics").content.decode()
    assert 'provisioning_operations{kind="server.create",status="pending"} 1.0' in second
    counts = [one["sql"] for one in asked if "COUNT(" in one["sql"] and "operations_operation" in one["sql"]]
    assert counts and all('"due_at" IS NOT NULL' in sql or '"created_at" >' in sql for sql in counts), counts
    Tally.objects.update(begun_at=timezone.now() - timedelta(minutes=2))
    Operation.objects.filter(status="pending").update(status="failed", due_at=None, ended_at=timezone.now())
    assert 'status="failed"} 1.0' in client.get("/metrics").content.decode()


def test_cancelling_many_waits_once(db, workspace, settings):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 3}
    held = [an_operation(workspace, status="running", lease_owner="worker-1") for _ in range(6)]
    client, began = browser(seeded("chief", "admin")), time.monotonic()
    act(client, held, "cancel_selected")
    assert time.monotonic() - began < 3 * 3, "not three seconds for each"
    assert not Operation.objects.filter(cancel_requested_at=None).exists()
