"""Django-q2's own tasks and schedules, beside the operations."""

import time
from datetime import timedelta

from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.tasks import async_task, schedule

from apps.operations import registry
from apps.operations.models import Operation
from tests.operations.fleet import eventually
from tests.operations.probes import ledger

HANDLERS = "tests.operations.probes.handlers"


def test_it_runs_each_task_once_and_schedules_in_time(fleet, submit, ended):
    OrmQ.objects.create(key="provisioning", payload="signed:by:nobody", lock=timezone.now())
    fleet.start(2)
    names = {
        name: async_task(f"{HANDLERS}.{name}", *args)
        for name, args in (("note", ["plain"]), ("give_lambda", []), ("coroutine", []), ("raising", []))
    }
    names |= {"great": async_task(f"{HANDLERS}.great", 500_000, save=True), "missing": async_task("no.such.function")}
    eventually(lambda: not OrmQ.objects.exists(), what="an empty queue")
    failed = dict(Task.objects.filter(success=False).values_list("id", "result"))
    assert set(failed) == {names[one] for one in ("give_lambda", "coroutine", "raising", "missing")}
    assert "cannot be pickled" in failed[names["give_lambda"]]
    assert "the task's own fault" in failed[names["raising"]]
    assert len(Task.objects.get(id=names["great"]).result) == 500_000
    assert sorted(words[1] for words in ledger.lines("task")) == ["great", "lambda", "plain"]
    assert ended(submit("instant")).status == "completed"

    submit("nap", count=300, seconds=0.1)
    due = timezone.now() + timedelta(seconds=1)
    schedule(f"{HANDLERS}.note", "scheduled", schedule_type=Schedule.ONCE, next_run=due)
    eventually(lambda: ledger.lines("task", "scheduled"), what="the scheduled task")
    assert timezone.now() - due < timedelta(seconds=2)
    time.sleep(2)
    assert len(ledger.lines("task", "scheduled")) == 1
    assert Operation.objects.filter(status="pending").exists(), "operations were due all the while"
    assert [timer.name for timer in registry.timers()] == list(
        Schedule.objects.order_by("pk").values_list("name", flat=True)
    ), "two nodes that start at once make each timer once"
