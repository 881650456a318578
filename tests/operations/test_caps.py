"""A cap counts what somebody has claimed, begun or not."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from apps.operations import services, transitions
from apps.operations.models import ConcurrencyLimit, Operation
from apps.operations.queue import leases


def test_it_counts_what_is_claimed_and_not_begun(db):
    ConcurrencyLimit.objects.create(name="narrow", max_running=1)
    for _ in range(2):
        services.submit(kind="server.create", workspace=None, actor=None, params={}, limit_key="narrow")
    Operation.objects.update(due_at=leases.in_seconds(-1))
    [first] = leases.claim(owner="node-1", max_count=5)
    assert leases.claim(owner="node-2", max_count=5) == []
    Operation.objects.filter(pk=first.operation_id).update(due_at=leases.in_seconds(-1))
    assert len(leases.claim(owner="node-2", max_count=5)) == 1, "a claim that has run out holds no place"


def test_nodes_that_claim_at_once_do_not_exceed_it(database):
    leases.has_limits.cache_clear()
    ConcurrencyLimit.objects.create(name="narrow", max_running=3)
    for _ in range(40):
        services.submit(kind="server.create", workspace=None, actor=None, params={}, limit_key="narrow")
    Operation.objects.update(due_at=leases.in_seconds(-1))
    for _ in range(5):
        assert len(claimed_at_once(nodes=6)) == 3
        Operation.objects.update(due_at=leases.in_seconds(-1), lease_owner="")


def claimed_at_once(nodes):
    """Let so many nodes claim at the same moment; gives what they got."""
    start = threading.Barrier(nodes)

    def claim(number):
        try:
            connection.ensure_connection()
            start.wait(10)
            return leases.claim(owner=f"node-{number}", max_count=2)
        finally:
            connection.close()

    with ThreadPoolExecutor(nodes) as pool:
        return [lease for found in pool.map(claim, range(nodes)) for lease in found]


def test_a_begun_step_leaves_its_session_as_it_was(database):
    """The start is not forced to the disk; what comes after it in the same session is."""
    if connection.vendor != "postgresql":
        return
    services.submit(kind="server.create", workspace=None, actor=None, params={})
    [lease] = leases.claim(owner="node", max_count=1)
    assert transitions.set_running(lease)
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
