"""How long a step may take, from when its operation begins."""

from datetime import timedelta

from django.utils import timezone

from apps.operations.models import Operation
from apps.workflows.models import Step
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, statuses


def test_it_stops_a_step_that_takes_too_long(define, submit, run_worker, world, steps_of):
    define("slow", steps=[step("a", timeout=0.001)])
    world.held.add("a")
    operation = submit("slow")
    run_worker()
    assert ended(operation) == ("failed", "Step a failed: It took longer than 0.001 seconds.")
    assert steps_of(operation)["a"]["status"] == "failed"
    assert world.made == []


def test_a_step_that_only_waits_for_its_turn_uses_up_none_of_its_time(define, submit, world, steps_of):
    define("slow", steps=[step("a", timeout=0.001)])
    operation = submit("slow")
    run_one(operation["id"])
    Step.objects.update(started_at=timezone.now() - timedelta(hours=1))
    run_one(operation["id"])
    assert steps_of(operation)["a"]["status"] == "running"
    run_one(Operation.objects.get(parent=operation["id"]).pk)
    run_one(operation["id"])
    assert statuses(steps_of(operation)) == {"a": "completed"}
