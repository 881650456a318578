"""An operation's outcome is read from its row in one place; a cancel is distinguished from a retry."""

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.operations.outcomes import Outcome, outcome_of
from apps.operations.worker.runner import Cancelled, reject_before_run


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"status": "completed"}, Outcome.COMPLETED),
        ({"status": "failed", "error": "No."}, Outcome.FAILED),
        ({"status": "cancelled", "due_at": timezone.now()}, Outcome.UNDOING),
        ({"status": "cancelled"}, Outcome.CANCELLED_CLEAN),
        ({"status": "cancelled", "error": "A disk is left."}, Outcome.CANCELLED_LEFTOVER),
    ],
)
def test_it_distinguishes_outcomes(facts, outcome):
    assert outcome_of(Operation(**{"due_at": None, **facts})) is outcome


@pytest.mark.parametrize("status", ["pending", "running"])
def test_it_knows_no_outcome_before_the_end(status):
    with pytest.raises(ValueError, match=f"is {status} and has no outcome yet"):
        outcome_of(Operation(status=status))


def test_a_cancel_that_came_before_the_step_is_not_a_retry():
    assert reject_before_run(Operation(status="running", cancel_requested_at=timezone.now())) == Cancelled()
    assert reject_before_run(Operation(status="cancelled", cancel_requested_at=timezone.now())) is None
