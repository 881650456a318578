"""An account's limits: servers, monthly price, orders under way."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Plan
from apps.servers import services
from apps.servers.errors import LimitReached
from apps.servers.models import Server
from apps.servers.services.limits import release_order_slot
from apps.workspaces.models import Workspace
from tests.operations.conftest import database, databases, probes, system  # noqa: F401 - a database of each kind
from tests.refusals import refused


def limit(**limits):
    CloudAccount.objects.update(**limits)


@pytest.fixture
def finish(step):
    """Play the worker until nothing is due, looking at the cloud as often as it likes."""

    def run():
        ends = time.monotonic() + 30
        while Operation.objects.unfinished().exists():
            assert time.monotonic() < ends, list(Operation.objects.unfinished().values_list("kind", "status_message"))
            CloudAccount.objects.update(next_list_at=None)
            step()

    return run


# ── how many, and at what price ───────────────────────────────────────────────────────────────────────────────────────
def test_it_has_no_more_servers_than_it_may(api, alice, body, create, account):
    limit(max_servers=1)
    create()
    answer = api(alice).post("/v1/servers/create", {**body, "hostname": "web-02"})
    assert refused(answer, 409, "CONFLICT")["message"] == "UpCloud may have 1 servers and has 1."
    assert Server.objects.count() == Operation.objects.count() == 1


def test_a_deleted_server_no_longer_counts(create, up, api, alice, run_worker, account):
    limit(max_servers=1)
    api(alice).delete(f"/v1/servers/{up().id}")
    run_worker()
    create(hostname="web-02")


def test_it_costs_no_more_than_it_may(api, alice, body, create, account):
    limit(max_monthly_price="60.00")
    create()
    create(hostname="web-02")
    answer = api(alice).post("/v1/servers/create", {**body, "hostname": "web-03"})
    message = refused(answer, 409, "CONFLICT")["message"]
    assert message == "UpCloud may cost 60.00 EUR a month; with this server it would cost 84.00."


def test_a_price_that_is_not_known_is_too_much(api, alice, body, account):
    limit(max_monthly_price="60.00")
    Plan.objects.filter(name="2xCPU-4GB").update(prices={})
    message = refused(api(alice).post("/v1/servers/create", body), 409, "CONFLICT")["message"]
    assert "the price of 2xCPU-4GB in de-fra1 is not known" in message


@pytest.mark.parametrize("limits", [{"max_servers": 0}, {"max_monthly_price": "1.00"}])
def test_check_mode_keeps_to_them(api, alice, body, account, limits):
    limit(**limits)
    refused(api(alice).post("/v1/servers/create", {**body, "check_mode": True}), 409, "CONFLICT")


def test_who_order_at_the_same_moment_do_not_both_pass(database):  # noqa: F811
    workspace = Workspace.objects.create(name="production", path="/opt/workspaces/production")
    account = CloudAccount.objects.create(
        provider="upcloud", name="default", max_servers=3, refreshed_at="2026-01-01T00:00:00Z"
    )
    account.zones.create(name="de-fra1")
    account.plans.create(name="small", cpus=1, memory_mib=1024, disk_gib=10)
    start = Barrier(6)

    def order(number):
        try:
            connection.ensure_connection()
            start.wait(20)
            what = {"workspace": workspace.name, "provider": "upcloud", "plan": "small", "zone": "de-fra1"}
            services.create_server(actor=None, hostname=f"web-{number}", **what)
        except LimitReached:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(order, range(6))) == 3
    assert Server.objects.count() == 3


# ── orders under way ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_no_more_are_on_order_than_may_be_and_the_others_say_so(create, step, finish, cloud, account):
    cloud.set(boot_seconds=2)
    limit(max_creating=2)
    for number in range(4):
        create(hostname=f"web-{number}")
    for _ in range(3):
        step()
    assert len(cloud.servers()) == 2
    waiting = Operation.objects.filter(status_message__contains="may be on order")
    message = "2 of 2 machines that may be on order at once at UpCloud are; it is ordered when one of them is done"
    assert list(waiting.values_list("status_message", flat=True)) == [message] * 2
    finish()
    assert set(Server.objects.values_list("status", flat=True)) == {"running"}
    assert len(cloud.creates()) == 4 and not Server.objects.exclude(ordered_at=None).exists()


@pytest.mark.parametrize("ends", ["completed", "failed", "cancelled"])
def test_a_place_is_free_again_however_a_creation_ends(create, step, finish, cloud, api, alice, account, ends):
    limit(max_creating=1)
    if ends == "failed":
        cloud.refuse_next("SERVER_CORE_LIMIT_REACHED", status=403)
    first = create()
    step()
    second = create(hostname="web-02")
    if ends == "cancelled":
        api(alice).post(f"/v1/operations/{first['id']}/cancel")
    finish()
    assert Operation.objects.get(pk=first["id"]).status == ends
    assert Operation.objects.get(pk=second["id"]).status == "completed"


def test_the_one_that_has_waited_longest_is_woken(create, step, cloud, account):
    cloud.set(boot_seconds=60)
    limit(max_creating=1)
    for number in range(3):
        create(hostname=f"web-{number}")
        step()
    first, second, third = Server.objects.order_by("created_at")
    assert first.ordered_at and not second.ordered_at and not third.ordered_at
    Operation.objects.exclude(target=first.target).update(wake_requested=False)
    release_order_slot(first.id)
    woken = Operation.objects.filter(wake_requested=True).values_list("target", flat=True)
    assert list(woken) == [second.target]
