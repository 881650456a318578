"""Comparing an account's machines with its servers: what is found, said, and left alone."""

import pytest

from apps.operations import transitions
from apps.operations.errors import LeaseLost, TargetBusy
from apps.operations.handler_api import Context
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.providers.models import CloudAccount
from apps.servers.handlers.drift import compare_servers
from apps.servers.models import Server
from apps.servers.services import drift
from tests.servers.drift import compare, lines, resize, result, switch

LISTS, LOOKS = r"/server$", r"/server/[0-9a-f-]+$"


def seen(server):
    server.refresh_from_db()
    return server.status, server.drift


def test_it_finds_nothing_where_all_is_as_it_was(up, run_worker):
    server = up()
    before = Server.objects.values().get()
    assert result(compare(run_worker)) == {"servers": 1, "drifted": [], "orphans": []}
    assert Server.objects.values().get() == before
    assert CloudAccount.objects.get().compared_at
    assert seen(server) == ("running", "")


def test_it_finds_a_machine_that_was_stopped_and_that_it_runs_again(up, cloud, run_worker):
    server = up()
    switch(cloud, server, "stop")
    operation = compare(run_worker)
    assert result(operation)["drifted"] == [server.id]
    assert seen(server) == ("stopped", "stopped")
    assert "web-01: It was stopped outside." in lines(operation)
    first = server.drift_seen_at
    assert result(compare(run_worker))["drifted"] == [server.id]
    assert seen(server) == ("stopped", "stopped") and server.drift_seen_at == first
    switch(cloud, server, "start")
    operation = compare(run_worker)
    assert "web-01 is as it was again" in lines(operation)
    assert seen(server) == ("running", "")
    assert (server.drift_note, server.drift_seen_at) == ("", None)


def test_it_finds_a_machine_that_was_started(up, cloud, api, alice, run_worker):
    server = up()
    api(alice).post(f"/v1/servers/{server.id}/stop")
    run_worker()
    assert seen(server) == ("stopped", "")
    switch(cloud, server, "start")
    compare(run_worker)
    assert seen(server) == ("running", "started")


def test_it_finds_a_machine_that_is_gone(up, cloud, run_worker):
    server = up()
    cloud.vanish(server.ref)
    operation = compare(run_worker)
    assert seen(server) == ("failed", "gone")
    assert "web-01: Its machine is gone" in lines(operation)
    looks = cloud.calls("GET", LOOKS)
    assert result(compare(run_worker))["drifted"] == [server.id]
    assert cloud.calls("GET", LOOKS) == looks, "what is proven gone is not asked for again"


def test_it_finds_another_plan_and_says_both(up, cloud, run_worker):
    server = up()
    resize(cloud, server, "4xCPU-8GB")
    compare(run_worker)
    assert seen(server) == ("stopped", "stopped")
    assert "from 2xCPU-4GB to 4xCPU-8GB" in server.drift_note
    switch(cloud, server, "start")
    compare(run_worker)
    assert seen(server) == ("running", "resized")
    assert server.plan == "2xCPU-4GB"
    resize(cloud, server, "2xCPU-4GB")
    switch(cloud, server, "start")
    compare(run_worker)
    assert seen(server) == ("running", "")


def test_it_says_that_the_machine_of_a_failed_server_runs(up, run_worker):
    server = up()
    Server.objects.update(status="failed")
    compare(run_worker)
    assert seen(server) == ("failed", "started")
    compare(run_worker)
    assert seen(server) == ("failed", "started")


# ── what proves nothing ───────────────────────────────────────────────────────────────────────────────────────────────
def test_it_believes_no_list_that_only_lags(up, cloud, run_worker):
    server = up()
    cloud.shorten_next_list(keep=0, total=0)
    assert result(compare(run_worker))["drifted"] == []
    assert seen(server) == ("running", "")
    assert cloud.calls("GET", LOOKS) >= 1


@pytest.mark.parametrize("trouble", ["cut", "gateway", "lost"])
def test_it_tries_again_after_a_list_that_failed(trouble, up, cloud, run_worker):
    server = up()
    switch(cloud, server, "stop")
    if trouble == "cut":
        cloud.shorten_next_list(keep=0)
    elif trouble == "gateway":
        cloud.break_gateway_next(method="GET", path=LISTS)
    else:
        cloud.lose_next_answer(method="GET", path=LISTS)
    operation = compare(run_worker)
    assert "Attempt 1 failed" in lines(operation)
    assert result(operation)["drifted"] == [server.id]


def test_it_calls_nothing_gone_when_no_list_comes(up, cloud, run_worker):
    server = up()
    cloud.vanish(server.ref)
    cloud.break_gateway_next(method="GET", path=r"/server", times=None)
    operation = compare(run_worker)
    assert operation.status == "failed"
    assert seen(server) == ("running", "")
    assert CloudAccount.objects.get().compared_at is None


def test_it_calls_nothing_gone_when_the_look_at_the_machine_fails(up, cloud, run_worker):
    server = up()
    cloud.vanish(server.ref)
    cloud.break_gateway_next(method="GET", path=LOOKS, times=None)
    assert compare(run_worker).status == "failed"
    assert seen(server) == ("running", "")


def test_it_says_nothing_of_a_machine_on_its_way(up, cloud, run_worker):
    server = up()
    cloud.set(stop_seconds=60)
    switch(cloud, server, "stop")
    machine = cloud.servers()[0]
    assert result(compare(run_worker))["drifted"] == [], machine["state"]
    assert seen(server) == ("running", "")


# ── what is left alone ────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_leaves_alone_what_an_operation_holds(up, cloud, api, alice, run_worker):
    server = up()
    cloud.vanish(server.ref)
    operation = drift.compare_account(account=CloudAccount.objects.get())
    api(alice).post(f"/v1/servers/{server.id}/reboot")
    Operation.objects.unfinished().update(due_at=leases.in_seconds(-1))
    claimed = [lease for lease in leases.claim(owner="test", max_count=9) if lease.operation_id == operation.pk]
    runner.run(str(claimed[0].operation_id), claimed[0].fence)
    assert seen(server) == ("running", "")


def test_it_leaves_alone_what_has_changed_since_the_list(up, cloud):
    server = up()
    account = CloudAccount.objects.get()
    began = drift.clock(account)
    [read] = drift.comparable(account, began)
    verdict = drift.judge(read, None)
    Operation.objects.update(updated_at=leases.in_seconds(1))
    assert drift.note_verdict(read, verdict, None, began) is False
    Operation.objects.update(updated_at=leases.in_seconds(-5))
    Server.objects.update(status="stopped")
    assert drift.note_verdict(read, verdict, None, began) is False
    Server.objects.update(status="running")
    assert drift.note_verdict(read, verdict, None, began) is True
    assert seen(server) == ("failed", "gone")


def test_it_leaves_alone_what_was_made_a_moment_ago(up, cloud, run_worker, settings):
    server = up()
    settings.ORDER_LOOKUP_SECONDS = 30
    cloud.vanish(server.ref)
    assert result(compare(run_worker)) == {"servers": 0, "drifted": [], "orphans": []}
    assert seen(server) == ("running", "")


def test_it_takes_a_creation_under_way_for_neither_drift_nor_orphan(create, step, cloud, run_worker):
    cloud.set(boot_seconds=60)
    create()
    step()
    assert len(cloud.servers()) == 1
    operation = drift.compare_account(account=CloudAccount.objects.get())
    step()
    operation.refresh_from_db()
    assert result(operation) == {"servers": 0, "drifted": [], "orphans": []}
    assert Server.objects.get().status == "pending"


# ── how often it asks ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def many(up, cloud):
    """Three hundred servers, each with a machine."""
    first = up()
    plain = {field.attname: getattr(first, field.attname) for field in Server._meta.concrete_fields}
    labels = cloud.servers()[0]["labels"]["label"]
    made = []
    for number in range(299):
        mark = f"srv-many{number:06}"
        marks = {pair["key"]: pair["value"] for pair in labels if not pair["key"].startswith("_")}
        machine = cloud.create(f"many-{number}", labels=marks | {"prov-machine": mark})
        made.append(Server(**plain | {"id": mark, "hostname": f"many-{number}", "ref": machine["uuid"]}))
    Server.objects.bulk_create(made)
    return first, made


@pytest.mark.slow
def test_it_lists_once_for_three_hundred_servers(many, cloud, run_worker, django_assert_max_num_queries):
    lists, looks = cloud.calls("GET", LISTS), cloud.calls("GET", LOOKS)
    operation = drift.compare_account(account=CloudAccount.objects.get())
    with django_assert_max_num_queries(60):
        run_worker()
    operation.refresh_from_db()
    assert result(operation) == {"servers": 300, "drifted": [], "orphans": []}
    assert cloud.calls("GET", LISTS) - lists == 3, "a page holds a hundred"
    assert cloud.calls("GET", LOOKS) == looks

    first, made = many
    for server in made[:60]:
        cloud.vanish(server.ref)
    operation = compare(run_worker)
    assert len(result(operation)["drifted"]) == 50
    assert cloud.calls("GET", LOOKS) - looks == 50
    assert "10 more servers are not in the list" in lines(operation)
    assert len(result(compare(run_worker))["drifted"]) == 60


def test_it_compares_an_account_once_at_a_time(account):
    drift.compare_account(account=account)
    with pytest.raises(TargetBusy):
        drift.compare_account(account=account)
    drift.compare_all()
    assert Operation.objects.count() == 1


def test_it_is_queued_for_every_enabled_account(account):
    CloudAccount.objects.create(provider="upcloud", name="off", enabled=False)
    drift.compare_all()
    assert list(Operation.objects.values_list("target", flat=True)) == [f"compare:{account.pk}"]


def test_a_worker_that_lost_its_lease_writes_nothing(up, cloud):
    server = up()
    cloud.vanish(server.ref)
    operation = drift.compare_account(account=CloudAccount.objects.get())
    Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(-1))
    [lease] = leases.claim(owner="frozen", max_count=1)
    transitions.set_running(lease)
    Operation.objects.filter(pk=operation.pk).update(fence=99)
    with pytest.raises(LeaseLost):
        compare_servers(Context(Operation.objects.get(pk=operation.pk), lease, transitions.write))
    assert seen(server) == ("running", "")


def test_it_leaves_out_accounts_that_never_worked(account):
    type(account).objects.create(provider="local", name="default")
    drift.compare_all()
    assert [operation.params["account"] for operation in Operation.objects.filter(kind=drift.COMPARE)] == [account.pk]
