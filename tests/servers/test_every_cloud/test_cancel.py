"""Cancelling and deleting at every cloud, at the worst moment: nothing is left."""

import time

import pytest

from apps.servers.models import Server
from tests.providers.clouds import on_every_stage

MAX_STEPS = 30  # a machine that boots slowly is looked at more often


@on_every_stage()
def test_nothing_is_left_of_a_creation_cancelled_at_any_step(
    stage, create, cancel, shown, step, run_worker, nothing_is_left
):
    for steps in range(MAX_STEPS):
        operation = create(hostname=f"web-{steps}")
        for number in range(steps):
            step()
            time.sleep(number * 0.05)  # a machine that is looked at all the time has no time to boot
        if shown(operation)["status"] == "completed":
            break
        assert cancel(operation)["status"] == "cancelled"
        run_worker()
        assert (shown(operation)["status"], shown(operation)["error"]) == ("cancelled", None)
        nothing_is_left()
    assert 1 < steps < MAX_STEPS - 1
    assert stage.creates() >= 2


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
def test_nothing_is_left_of_a_creation_cancelled_in_doubt(
    stage, create, cancel, step, run_worker, nothing_is_left, committed
):
    stage.lose_create_answer(committed=committed)
    operation = create()
    step()
    cancel(operation)
    run_worker()
    nothing_is_left()
    assert stage.creates() == int(committed)


@on_every_stage()
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_nothing_is_left_of_a_creation_cancelled_after_its_worker_died(
    create, cancel, worker_dies, run_worker, nothing_is_left, settings, after
):
    settings.OPERATIONS = {**settings.OPERATIONS, "cancel_wait_seconds": 0}  # a dead worker does not answer
    operation = create()
    worker_dies("create", after=after)
    cancel(operation)
    run_worker()
    nothing_is_left()


@on_every_stage()
def test_nothing_is_left_when_the_worker_dies_while_it_undoes(
    create, cancel, step, worker_dies, run_worker, nothing_is_left
):
    operation = create()
    step()
    cancel(operation)
    worker_dies("delete", after=True)
    run_worker()
    nothing_is_left()


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
def test_force_leaves_nothing_of_an_order_in_doubt(
    stage, create, delete, step, run_worker, shown, nothing_is_left, committed
):
    stage.lose_create_answer(committed=committed)
    creation = create()
    step()
    deletion = delete(force=True)
    run_worker()
    assert (shown(creation)["status"], shown(deletion)["status"]) == ("cancelled", "completed")
    nothing_is_left()


@on_every_stage()
def test_force_waits_until_an_order_can_no_longer_be_carried_out(
    stage, create, delete, step, run_worker, settings, nothing_is_left
):
    settings.ORDER_LOOKUP_SECONDS = 60
    stage.lose_create_answer(committed=False)
    create()
    step()
    delete(force=True)
    step()
    step()
    assert Server.objects.get().status == "deleting"
    settings.ORDER_LOOKUP_SECONDS = 0
    run_worker()
    nothing_is_left()


@on_every_stage()
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_nothing_is_left_when_the_worker_dies_while_it_deletes(
    up, delete, worker_dies, run_worker, nothing_is_left, after
):
    up()
    delete()
    worker_dies("delete", after=after)
    run_worker()
    nothing_is_left()


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_nothing_is_left_when_an_answer_to_a_deletion_is_lost(
    stage, up, delete, run_worker, nothing_is_left, verb, committed
):
    up()
    stage.lose_answer(call=stage.change_calls[verb], committed=committed)
    delete()
    run_worker()
    nothing_is_left()


@on_every_stage()
def test_nothing_is_left_of_a_server_whose_machine_was_taken_away(stage, up, delete, run_worker, nothing_is_left):
    stage.vanish(up().ref)
    delete()
    run_worker()
    nothing_is_left()


@on_every_stage()
def test_a_stranger_stays(stage, up, delete, run_worker):
    stranger = stage.make_stranger()
    up()
    delete(force=True)
    run_worker()
    assert list(stage.refs()) == [stranger]
    assert not Server.objects.exists()
