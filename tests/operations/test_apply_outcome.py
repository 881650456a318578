"""A kind whose `apply_outcome` fails does not keep its operation unfinished for ever."""

from contextlib import suppress

import pytest

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner


@pytest.fixture
def lose_lease(db):
    """Let leases run out, claim and run."""

    def go():
        Operation.objects.unfinished().update(due_at=leases.in_seconds(-1))
        for lease in leases.claim(owner="node-1", max_count=1):
            with suppress(RuntimeError):
                runner.run(str(lease.operation_id), lease.fence)

    return go


def test_it_ends_an_operation_whose_outcome_cannot_be_applied(probes, submit, lose_lease):
    operation = submit("instant.outcome_fails")
    for _ in range(10):
        lose_lease()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code, operation.due_at) == ("failed", "WORKER_LOST", None)


def test_it_distinguishes_a_bug_in_recording_from_a_lost_worker(probes, submit, lose_lease):
    operation = submit("return_unserializable")
    lose_lease()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "INTERNAL_ERROR")
