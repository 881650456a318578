"""Django-q2's own tasks and schedules, beside the operations."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.tasks import async_task, schedule

from apps.operations import registry
from apps.operations.models import Operation
from tests.operations.fleet import eventually
from tests.operations.probes import ledger

HANDLERS = "tests.operations.probes.handlers"


@pytest.mark.slow
def test_it_runs_each_task_once_and_schedules_in_time(fleet, submit, ended):
    OrmQ.objects.create(key="provisioning", payload="signed:by:nobody", lock=timezone.now())
    fleet.start(2)
    names = {
        name: async_task(f"{HANDLERS}.{name}", *args)
        for name, args in (("note", ["plain"]), ("return_lambda", []), ("coroutine", []), ("raise_error", []))
    }
    names["return_much"] = async_task(f"{HANDLERS}.return_much", 500_000, save=True)
    names["missing"] = async_task("no.such.function")
    eventually(lambda: not OrmQ.objects.exists(), what="an empty queue")
    failed = dict(Task.objects.filter(success=False).values_list("id", "result"))
    assert set(failed) == {names[one] for one in ("return_lambda", "coroutine", "raise_error")}
    assert not Task.objects.filter(id=names["missing"]).exists(), "what no live version knows is dropped"
    assert "cannot be pickled" in failed[names["return_lambda"]]
    assert "the task's own fault" in failed[names["raise_error"]]
    assert len(Task.objects.get(id=names["return_much"]).result) == 500_000
    assert sorted(words[1] for words in ledger.lines("task")) == ["lambda", "plain", "return_much"]
    assert ended(submit("instant")).status == "completed"

    submit("sleep", count=300, seconds=0.1)
    due = timezone.now() + timedelta(seconds=1)
    schedule(f"{HANDLERS}.note", "scheduled", schedule_type=Schedule.ONCE, next_run=due)
    eventually(lambda: ledger.lines("task", "scheduled"), what="the scheduled task")
    assert Operation.objects.filter(status="pending").exists(), "it waits behind no operations that are due"
    time.sleep(2)
    assert len(ledger.lines("task", "scheduled")) == 1
    assert [timer.name for timer in registry.periodic_tasks()] == list(
        Schedule.objects.order_by("pk").values_list("name", flat=True)
    ), "two nodes that start at once make each timer once"
