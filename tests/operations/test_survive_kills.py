"""Kill anything: what was under way is taken up, what was idle is replaced, nobody is left behind."""

import time

import pytest
from django.conf import settings
from django_q.tasks import async_task

from apps.operations.models import Operation
from tests.operations.databases import PostgreSQL, SQLite
from tests.operations.fleet import eventually
from tests.operations.probes import ledger
from tests.operations.processes import is_alive

RECOVERY_SECONDS = 15


@pytest.mark.slow
def test_it_takes_up_the_operation_of_a_killed_worker_within_15_seconds(scene, submit, ended, began):
    """Both databases at once, for it takes as long as a lease."""
    lease, killed = str(settings.OPERATIONS["lease_seconds"]), []
    for kind in (SQLite, PostgreSQL):
        node, enter = scene(kind.__name__, kind, LEASE_SECONDS=lease)
        with enter():
            operation = submit("act", seconds=1)
            node.kill(began(operation))
            killed.append((operation, enter, time.time()))
    for operation, enter, killed_at in killed:
        with enter():
            assert ended(operation).status == "completed"
            [first, second] = ledger.lines(operation.pk, "began")
            assert first[2] != second[2]
            assert float(second[3]) - killed_at < RECOVERY_SECONDS
            assert len(ledger.lines(operation.pk, "effect")) == 1


def wait_for_tasks(count):
    """Wait until so many background tasks were done: one that is under way when its worker is killed is lost."""
    eventually(lambda: len(ledger.lines("task")) >= count, what=f"{count} background tasks")


@pytest.mark.slow
def test_it_goes_on_whatever_idle_process_is_killed(fleet, submit, ended):
    node = fleet.start(WORKERS="1")
    victims = ("worker", "worker", "pusher", "worker", "sentinel", "pusher", "sentinel")
    for number, victim in enumerate(victims, 1):
        crew = {node.sentinel, *node.crew()}
        pid = node.workers[0] if victim == "worker" else getattr(node, victim)
        node.kill(pid)
        assert ended(submit("instant")).status == "completed", victim
        async_task("tests.operations.probes.handlers.note", victim)
        node.settled()
        if victim == "sentinel":
            assert not any(is_alive(one) for one in crew), "nobody works on for a dead sentinel"
        wait_for_tasks(number)
    assert node.stop() < 10
    assert len(ledger.lines("task")) == len(victims)
    assert not node.leavings()


@pytest.mark.slow
def test_it_leaves_nothing_of_a_step_whose_sentinel_or_parent_is_killed(fleet, submit, began):
    node = fleet.start()
    operation = submit("start_programs")
    for times, victim in ((1, "worker"), (2, "sentinel"), (3, "parent")):
        worker = began(operation, times=times)
        programs = eventually(lambda n=times: (found := programs_of(operation))[2 * n - 1 :] and found)
        victims = {"worker": worker, "sentinel": node.sentinel, "parent": node.pid}
        node.everything()
        node.kill(victims[victim])
        eventually(lambda them=[worker, *programs]: not any(map(is_alive, them)), 5, f"the end of all after {victim}")
    node.process.wait(10)
    eventually(lambda: not node.leavings(), 5, "the end of the rest")
    assert Operation.objects.get(pk=operation.pk).due_at is not None, "it is taken up by whoever comes"


def programs_of(operation):
    return [int(pid) for _, _, pid in ledger.lines(operation.pk, "child")]


@pytest.mark.slow
def test_it_recovers_from_a_power_cut(fleet, submit, ended, began):
    node = fleet.start()
    made = submit("provision", count=10, seconds=0.3)
    began(made[0])
    node.crash()
    fleet.start()
    assert {one.status for one in ended(*made)} == {"completed"}
    assert all(len(ledger.lines(one.pk, "effect")) == 1 for one in made)
