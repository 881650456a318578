"""The queue of runs of Ansible: who may do which run, and what becomes of one whose runner has gone."""

import threading

import pytest
from django.db import connection

from apps.operations import registry, services
from apps.operations.models import DrainMode, Operation
from apps.operations.observability import metrics
from apps.operations.queue import leases
from apps.taskservs.ansible import queue, requests, runs
from apps.taskservs.ansible.requests import RolePlay, RunRequest
from apps.taskservs.models import AnsibleRun
from tests.operations.probes.kinds import KINDS

SECRET = "correct-horse-battery"


@pytest.fixture
def ask(db, monkeypatch):
    """Have an operation request a run on these servers, by its own step; gives the run."""
    monkeypatch.setattr(registry, "_kinds", registry.kinds())
    registry.register_kinds(KINDS)

    def go(*server_ids, name="run_ansible.stoppable"):
        play = RolePlay(
            taskserv="redis",
            role_path="/roles/redis",
            tasks=["install"],
            server_ids=list(server_ids),
            secret_variables={"redis_password": SECRET},
        )
        asked = RunRequest(plays=[play])
        operation = services.submit(kind=f"probe.{name}", workspace=None, actor=None, params=asked.as_json())
        step(operation)
        return AnsibleRun.objects.get(operation=operation)

    return go


def step(operation):
    """Do one step of one operation."""
    from apps.operations.worker import runner

    Operation.objects.unfinished().filter(lease_owner="").update(due_at=leases.in_seconds(100))
    Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(-1))
    for lease in leases.claim(owner="a worker", max_count=1):
        runner.run(str(lease.operation_id), lease.fence)


def expire(run):
    AnsibleRun.objects.filter(pk=run.pk).update(lease_until=leases.in_seconds(-1))


def is_due(operation):
    return Operation.objects.filter(pk=operation.pk, due_at__lte=leases.in_seconds(0)).exists()


def test_a_run_holds_no_secret_in_plain_text_and_none_at_all_after_its_end(ask):
    run = ask("srv-a")
    assert SECRET not in str(AnsibleRun.objects.filter(pk=run.pk).values().get())
    [lease] = queue.claim(owner="node", max_count=1)
    assert queue.finish(lease, state="ended")
    run.refresh_from_db()
    assert run.sealed_request == "" and run.is_over


def test_a_step_that_is_repeated_finds_the_run_that_the_first_one_requested(ask):
    run = ask("srv-a")
    step(run.operation)
    assert AnsibleRun.objects.get() == run


def test_the_end_of_a_run_wakes_its_operation(ask):
    run = ask("srv-a")
    assert not is_due(run.operation)
    [lease] = queue.claim(owner="node", max_count=1)
    queue.finish(lease, state="ended")
    assert is_due(run.operation)
    step(run.operation)
    assert Operation.objects.get(pk=run.operation_id).status == "completed"


def test_no_two_runs_that_share_a_server_are_under_way_and_none_overtakes(ask):
    first, second, third, other = ask("srv-a", "srv-b"), ask("srv-b", "srv-c"), ask("srv-c"), ask("srv-d")
    claimed = {lease.run_id for lease in queue.claim(owner="node", max_count=10)}
    assert claimed == {first.pk, other.pk}
    assert queue.claim(owner="another", max_count=10) == []
    [lease] = [queue.RunLease(first.pk, 1)]
    queue.finish(lease, state="ended")
    assert [lease.run_id for lease in queue.claim(owner="another", max_count=10)] == [second.pk]
    queue.finish(queue.RunLease(second.pk, 1), state="ended")
    assert [lease.run_id for lease in queue.claim(owner="another", max_count=10)] == [third.pk]


def test_a_node_takes_no_more_than_it_has_room_for_and_nothing_in_a_drain(ask):
    for name in "abc":
        ask(f"srv-{name}")
    assert queue.claim(owner="node", max_count=0) == []
    DrainMode.objects.create(pk=1)
    assert queue.claim(owner="node", max_count=2) == []
    DrainMode.objects.all().delete()
    assert len(queue.claim(owner="node", max_count=2)) == 2


def test_a_run_whose_lease_has_run_out_is_lost_and_its_runner_can_write_nothing_more(ask):
    run = ask("srv-a")
    [lease] = queue.claim(owner="node", max_count=1)
    assert queue.renew(lease)
    assert queue.mark_lost() == 0
    expire(run)
    assert queue.mark_lost() == 1
    assert is_due(run.operation)
    assert not queue.renew(lease)
    assert not queue.finish(lease, state="ended")
    run.refresh_from_db()
    assert run.state == "lost"
    step(run.operation)
    again = runs.latest_run(run.operation)
    assert (again.state, again.server_ids) == ("queued", ["srv-a"]) and again != run


def test_a_queued_run_is_stopped_at_once(ask):
    run = ask("srv-a")
    assert runs.request_stop(run.operation) is False
    run.refresh_from_db()
    assert run.state == "stopped"
    assert queue.claim(owner="node", max_count=1) == []


def test_a_run_under_way_is_asked_to_stop_and_the_operation_waits_for_it(ask):
    run = ask("srv-a")
    [lease] = queue.claim(owner="node", max_count=1)
    assert runs.request_stop(run.operation) is True
    run.refresh_from_db()
    assert run.stop_requested_at and run.state == "running"
    queue.finish(lease, state="stopped")
    assert runs.request_stop(run.operation) is False


def test_after_a_lost_run_another_one_ends_what_is_left_on_the_servers(ask):
    run = ask("srv-a")
    queue.claim(owner="node", max_count=1)
    expire(run)
    assert runs.request_stop(run.operation) is True
    clearing = runs.latest_run(run.operation)
    assert clearing != run and clearing.stop_requested_at and clearing.server_ids == ["srv-a"]
    assert runs.request_stop(run.operation) is True, "it is queued, and must be done all the same"
    [lease] = queue.claim(owner="node", max_count=1)
    assert lease.run_id == clearing.pk
    queue.finish(lease, state="stopped")
    assert runs.request_stop(run.operation) is False


@pytest.mark.django_db(transaction=True)
def test_of_runners_that_claim_at_once_one_gets_each_run(transactional_db, ask):
    for number in range(8):
        ask(f"srv-{number % 4}", f"srv-x{number % 4}")
    together, claimed = threading.Barrier(4), []

    def race():
        together.wait()
        claimed.extend(lease.run_id for lease in queue.claim(owner="node", max_count=3))
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 4


def test_its_figures_count_runs_that_are_not_over(ask):
    ask("srv-a"), ask("srv-b"), ask("srv-b")
    queue.claim(owner="node", max_count=1)
    text = metrics.render().decode()
    assert 'provisioning_ansible_runs{state="queued"} 2.0' in text
    assert 'provisioning_ansible_runs{state="running"} 1.0' in text


def test_a_request_survives_being_stored():
    play = RolePlay(taskserv="a", role_path="/a", tasks=["x"], server_ids=["s"], variables={"b": [1]}, serial=1)
    asked = RunRequest(plays=[play], check_mode=True)
    assert requests.from_json(asked.as_json()) == asked
