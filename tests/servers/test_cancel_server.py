import pytest

from apps.operations import transitions
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.servers.models import Server


@pytest.fixture
def cancel(api, alice):
    return lambda operation: api(alice).post(f"/v1/operations/{operation['id']}/cancel")


def test_a_pending_creation_leaves_nothing(create, cancel, api, alice, cloud, run_worker):
    operation = create()
    answer = cancel(operation).json()
    assert (answer["status"], answer["error"], answer["result"]) == ("cancelled", None, None)
    assert api(alice).get("/v1/servers").json() == []
    run_worker()
    assert not cloud.creates()


def test_one_that_a_worker_has_only_queued_does_not_begin(create, cancel, cloud):
    operation = create()
    [lease] = leases.claim(owner="node", max_count=1)
    assert cancel(operation).json()["status"] == "cancelled"
    runner.run(str(lease.operation_id), lease.fence)
    assert not cloud.creates()


def test_a_booting_machine_is_taken_away(create, cancel, shown, api, alice, cloud, step, run_worker):
    cloud.set(boot_seconds=0.5)
    operation = create()
    step()
    assert len(cloud.servers()) == 1
    assert cancel(operation).json()["status"] == "cancelled"
    [listed] = api(alice).get("/v1/servers").json()
    assert listed["status"] == "deleting"
    run_worker()
    assert cloud.servers() == cloud.disks() == []
    assert (shown(operation)["status"], shown(operation)["error"]) == ("cancelled", None)
    assert not Server.objects.exists()


def test_the_hostname_is_free_when_all_is_gone(create, cancel, run_worker):
    cancel(create())
    create()


def test_a_machine_whose_order_was_in_doubt_is_taken_away(create, cancel, cloud, step, run_worker):
    cloud.lose_next_answer()
    operation = create()
    step()
    cancel(operation)
    run_worker()
    assert cloud.servers() == cloud.disks() == []
    assert not Server.objects.exists()


def test_what_could_not_be_undone_is_named(create, cancel, shown, cloud, step, run_worker):
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    cancel(operation)
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path="", times=None)
    run_worker()
    ended = shown(operation)
    assert ended["status"] == "cancelled"
    assert ended["error"].startswith("Cancelled, but not everything could be undone: ")
    assert Server.objects.get().status == "failed"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(end, create, cancel, cloud, run_worker):
    if end == "failed":
        cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    operation = create()
    if end == "cancelled":
        cancel(operation)
    run_worker()
    answer = cancel(operation)
    assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")
    assert end in answer.json()["message"]


def test_a_running_step_is_asked_to_stop_and_the_answer_is_the_true_state(create, cancel, settings):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 0.2}
    operation = create()
    [lease] = leases.claim(owner="node", max_count=1)
    transitions.set_running(lease)
    assert cancel(operation).json()["status"] == "running"
    assert leases.stop_reason(lease) == "cancelled"
    assert Operation.objects.get().status == "running"


def test_a_check_is_cancelled_too(create, cancel, cloud, run_worker):
    operation = create(check_mode=True)
    assert cancel(operation).json()["status"] == "cancelled"
    run_worker()
    assert not cloud.creates()
