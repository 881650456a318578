"""What counts towards an operation's time limit: its work, and no time in which it only waits for its turn."""

from datetime import timedelta

import pytest
from django.db.models import F

from apps.operations import services
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.servers.models import Server

HOUR = timedelta(hours=1)


def an_hour_passes():
    """Let an hour pass for all operations, those that are due included."""
    moved = {name: F(name) - HOUR for name in ("created_at", "started_at", "deadline_at", "due_at")}
    Operation.objects.unfinished().update(**moved)


def step(operation):
    """Do one step of it now, as when its wait has just ended."""
    Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(-0.01))
    Operation.objects.unfinished().exclude(pk=operation.pk).update(due_at=leases.in_seconds(3600))
    [lease] = leases.claim(owner="node", max_count=1)
    runner.run(str(lease.operation_id), lease.fence)
    operation.refresh_from_db()
    return operation


def test_a_creation_that_waits_for_a_place_has_all_its_time_left(api, alice, body, account, cloud, run_worker):
    cloud.set(boot_seconds=600)
    type(account).objects.update(max_creating=1)
    for name in ("web-01", "web-02"):
        assert api(alice).post("/v1/servers/create", {**body, "hostname": name}).status_code == 200
    first, second = Operation.objects.order_by("created_at")
    step(first)
    for _ in range(3):
        step(second)
        assert (second.status, second.error) == ("running", None)
        assert "on order at once" in second.status_message
        an_hour_passes()
    Server.objects.filter(hostname="web-01").update(ordered_at=None)
    step(second)
    assert (second.status, second.deadline_at is not None) == ("running", True)
    assert Server.objects.get(hostname="web-02").ref, "it was ordered"


@pytest.fixture
def slow(probes):
    def make(**params):
        return services.submit(kind="probe.wait", workspace=None, actor=None, params=params, time_limit=600)

    return make


def test_the_time_in_which_nobody_takes_it_does_not_count(db, slow):
    operation = slow(times=9, seconds=1)
    step(operation)
    left = operation.deadline_at
    an_hour_passes()
    Operation.objects.update(due_at=leases.in_seconds(-3600))
    [lease] = leases.claim(owner="node", max_count=1)
    operation.refresh_from_db()
    assert abs(operation.deadline_at - left) < timedelta(seconds=60)
    runner.run(str(lease.operation_id), lease.fence)
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("running", "")


def test_a_wait_of_its_own_does_count(db, slow):
    operation = slow(times=9, seconds=1)
    step(operation)
    an_hour_passes()
    assert (step(operation).status, operation.error_code) == ("failed", "TIMED_OUT")
