"""A kind whose settling fails does not keep its operation for ever."""

from contextlib import suppress

import pytest

from apps.operations import claims, runner
from apps.operations.models import Operation


@pytest.fixture
def lose_lease(db):
    """Let leases run out, claim and run."""

    def go():
        Operation.objects.unfinished().update(due_at=claims.in_seconds(-1))
        for lease in claims.claim(owner="node-1", most=1):
            with suppress(RuntimeError):
                runner.run(str(lease.operation_id), lease.fence)

    return go


def test_it_ends_an_operation_that_cannot_be_settled(probes, submit, lose_lease):
    operation = submit("instant.unsettled")
    for _ in range(10):
        lose_lease()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code, operation.due_at) == ("failed", "WORKER_LOST", None)


def test_it_tells_a_bug_in_recording_from_a_lost_worker(probes, submit, lose_lease):
    operation = submit("unspeakable")
    lose_lease()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "INTERNAL_ERROR")
