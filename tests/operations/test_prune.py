"""Deleting many old operations takes time in proportion to their number."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.operations import retention
from apps.operations.models import Event, Operation
from apps.workflows.models import Workflow

OLD = timedelta(days=91)


def fill(count):
    """Make so many old operations, with a line of log each: parts, wholes, workflows and their reversals."""
    at = timezone.now() - OLD
    facts = {"kind": "probe.instant", "status": "completed", "due_at": None, "ended_at": at, "created_at": at}
    tenth = count // 10
    wholes = [Operation(target=f"cluster:{number % tenth}", **facts) for number in range(count - 2 * tenth)]
    parts = [Operation(parent=whole, **facts) for whole in wholes[: 2 * tenth]]
    for whole in wholes[:tenth]:
        whole.created_at = at - OLD  # what was created is older than its deletion
    Operation.objects.bulk_create([*wholes, *parts])
    Event.objects.bulk_create(Event(operation=one, seq=1, message="done") for one in [*wholes, *parts])
    effects = [*["create"] * tenth, *["delete"] * tenth]
    Workflow.objects.bulk_create(
        Workflow(operation=whole, type="cluster", effect=effect, definition={})
        for whole, effect in zip(wholes, effects, strict=False)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does where there is time for it


def seconds_to_prune(count):
    """Prune so many old operations; gives how long it took."""
    fill(count)
    began = time.monotonic()
    assert retention.prune_operations(older_than=timedelta(days=90)) == count
    return time.monotonic() - began


@pytest.mark.slow
def test_five_times_as_many_take_about_five_times_as_long(database):
    few = min(seconds_to_prune(1000) for _ in range(3))  # the least of some: other programs want the processors too
    many = min(seconds_to_prune(5000) for _ in range(3))
    assert many < 12 * few, f"1,000 took {few:.2f} s, 5,000 took {many:.2f} s"
