"""Creating at every cloud: one machine in the end, whatever happens on the way."""

import pytest

from apps.operations.models import Operation
from apps.providers.drivers import DRIVERS
from apps.providers.services import register_account
from apps.servers.models import Server
from tests.providers.clouds import on_every_stage, on_every_trouble
from tests.providers.clouds.base import Can, Trouble


@on_every_stage()
def test_it_lives_and_leaves_nothing(
    api, alice, stage, create, delete, shown, run_worker, is_up, nothing_is_left, account
):
    creation = create()
    run_worker()
    server = is_up()
    assert shown(creation)["result"] == {"server_id": server.id, "ip_address": server.ip_address}
    assert stage.tags_of(server.ref) == {"web", "production"}
    assert api(alice).get(f"/v1/servers/{server.id}/status").json()["status"] == "running"
    deletion = delete()
    run_worker()
    assert shown(deletion)["status"] == "completed"
    nothing_is_left()


@on_every_stage()
def test_it_adopts_the_machine_whose_answer_was_lost(stage, create, run_worker, is_up):
    stage.lose_create_answer(committed=True)
    create()
    run_worker()
    is_up()
    assert stage.orders() == 1
    assert Operation.objects.get().events.filter(message__startswith="Adopted").exists()


@on_every_stage()
def test_it_orders_again_what_never_arrived(stage, create, run_worker, is_up):
    stage.lose_create_answer(committed=False)
    create()
    run_worker()
    is_up()
    assert stage.orders() == 2


@on_every_stage()
def test_it_does_not_order_again_before_it_can_be_sure(stage, create, step, settings, run_worker, is_up):
    settings.ORDER_LOOKUP_SECONDS = 60
    stage.lose_create_answer(committed=False)
    create()
    for _ in range(4):
        step()
    assert stage.orders() == 1
    settings.ORDER_LOOKUP_SECONDS = 0
    run_worker()
    is_up()
    assert stage.orders() == 2


@on_every_stage()
def test_it_makes_one_machine_however_many_answers_are_lost(stage, create, run_worker, is_up):
    stage.lose_create_answer(committed=False, times=2)
    stage.lose_create_answer(committed=True, times=2)
    create()
    run_worker()
    is_up()
    assert stage.orders() == 3


@on_every_trouble(Trouble.RATE_LIMIT, Trouble.ERROR, Trouble.HTML, Trouble.EMPTY)
def test_it_makes_one_machine_whatever_the_first_answer(stage, create, run_worker, is_up, trouble):
    stage.fail(trouble, call=stage.create_call, times=1)
    create()
    run_worker()
    is_up()


@on_every_stage()
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("deaths", [1, 2])
def test_it_makes_one_machine_though_workers_die_as_they_order_it(
    stage, create, run_worker, worker_dies, is_up, after, deaths
):
    create()
    worker_dies("create", after=after)
    if deaths == 2:
        worker_dies("find", after=True)
    run_worker()
    is_up()


@on_every_stage(Can.TWINS)
def test_it_keeps_one_of_two_machines_that_lost_answers_left(stage, create, step, driver, run_worker, is_up):
    stage.lose_create_answer(committed=True)
    create()
    step()
    server = Server.objects.get()
    driver.create(stage.spec(server_id=server.id, hostname=server.hostname, order="another"))
    assert len(stage.refs()) == 2
    run_worker()
    [left] = stage.refs()
    server.refresh_from_db()
    assert (server.status, server.ref) == ("running", left)
    stage.vanish(left)
    assert list(stage.leftovers()) == []


@on_every_stage(trouble=Trouble.QUOTA)
def test_it_fails_where_the_account_is_full_and_can_be_deleted(
    stage, create, delete, shown, run_worker, nothing_is_left
):
    stage.fail(Trouble.QUOTA, call=stage.create_call, times=1)
    operation = create()
    run_worker()
    assert (shown(operation)["status"], Operation.objects.get().error_code) == ("failed", "PROVIDER_QUOTA")
    assert Server.objects.get().status == "failed"
    delete()
    run_worker()
    nothing_is_left()


@on_every_stage(Can.REFUSE_CREDENTIALS)
def test_it_shows_no_credential_when_they_are_refused(api, alice, stage, create, shown, account, run_worker):
    for number, wrong in enumerate(stage.wrong_credentials()):
        register_account(provider=stage.provider, name="default", endpoint=account.endpoint, credentials=wrong)
        operation = create(hostname=f"web-{number}")
        run_worker()
        assert shown(operation)["status"] == "failed"
        ended = Operation.objects.get(pk=operation["id"])
        assert ended.error_code == "PROVIDER_AUTH"
        shown_anywhere = str([shown(operation), vars(ended), list(ended.events.values())])
        assert "wrong-secret" not in shown_anywhere
    assert list(stage.refs()) == []


@on_every_stage()
def test_check_mode_creates_nothing(stage, create, shown, run_worker):
    operation = create(check_mode=True)
    run_worker()
    assert shown(operation)["result"]["changes"][0]["hostname"] == "web-01"
    assert list(stage.refs()) == [] and stage.orders() == 0


@on_every_stage(Can.PRICE)
def test_check_mode_prices_it(create, shown, run_worker):
    operation = create(check_mode=True)
    run_worker()
    assert float(shown(operation)["result"]["price"]["hourly"]) > 0


@on_every_stage()
def test_the_catalog_is_the_driver_s(driver, account):
    assert set(account.plans.values_list("name", flat=True)) == {plan.name for plan in driver.plans()}
    assert set(account.zones.values_list("name", flat=True)) == {zone.name for zone in driver.zones()}
    assert account.images.first().name == driver.images()[0].name
    assert account.provider in DRIVERS
