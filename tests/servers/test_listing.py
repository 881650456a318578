"""Listing an account's machines: one reader at a time, and what a list means for those who wait."""

import time

import pytest

from apps.operations.handler_api import Lease
from apps.operations.models import Operation, WorkerNode
from apps.operations.queue import leases
from apps.operations.worker import nodes
from apps.providers.drivers.upcloud import client
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.servers.services.drift import compare_account
from apps.servers.services.listing import claim_listing, release_listing

LIST, ONE = r"/server$", r"/server/0"


@pytest.fixture
def lists(cloud):
    """How often the cloud was asked for a list of servers."""
    return lambda: cloud.calls("GET", LIST)


def held(operation):
    """Let another worker be at work on an operation; gives its lease."""
    Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(60), lease_owner="another worker")
    return Lease(operation.pk, operation.fence)


@pytest.fixture
def reader(account, create, step, cloud):
    """An operation that lists the account's machines just now."""
    cloud.set(boot_seconds=60)
    create(hostname="reader")
    step()
    lease = held(Operation.objects.get())
    assert claim_listing(account, lease, pause=False)
    return lease


# ── one reader ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_lists_an_account_once_at_a_time(reader, create, step, lists):
    for number in range(3):
        create(hostname=f"web-{number}")
    before = lists()
    for _ in range(3):
        step()
    assert lists() == before
    assert Operation.objects.filter(status="running", attempts=0).count() == 4


def test_it_lists_another_account_meanwhile(reader, account):
    other = CloudAccount.objects.create(provider="upcloud", name="other", endpoint=account.endpoint)
    assert claim_listing(other, reader, pause=True)
    assert not claim_listing(account, reader, pause=True)


def test_it_lists_when_the_reader_s_worker_is_lost(reader, create, step, lists):
    create()
    step()
    before = lists()
    Operation.objects.filter(pk=reader.operation_id).update(due_at=leases.in_seconds(-1), lease_owner="")
    step()
    assert lists() == before + 1


def test_it_compares_when_the_reader_is_done(reader, account, step, lists):
    comparison = compare_account(account=account)
    before = lists()
    step()
    comparison.refresh_from_db()
    assert (comparison.status, lists()) == ("running", before)
    assert "another operation" in comparison.status_message
    release_listing(account, reader, seconds=0)
    step()
    comparison.refresh_from_db()
    assert (comparison.status, lists()) == ("completed", before + 1)


def test_it_pauses_for_as_long_as_a_list_took(reader, account, create, step, lists):
    create()
    release_listing(account, reader, seconds=300)
    before = lists()
    for _ in range(3):
        step()
    assert lists() == before
    CloudAccount.objects.update(next_list_at=leases.in_seconds(-1))
    step()
    assert lists() == before + 1


def test_it_takes_nothing_back_from_the_next_reader(reader, account):
    late = Lease(reader.operation_id, reader.fence - 1)
    release_listing(account, late, seconds=0)
    assert not claim_listing(account, late, pause=False)


# ── a list that changes ───────────────────────────────────────────────────────────────────────────────────────────────
def test_it_believes_what_a_list_shows_that_changed_while_it_was_read(create, cloud, step, monkeypatch, quick_looks):
    monkeypatch.setattr(client, "PAGE", 2)
    cloud.set(boot_seconds=1)
    for number in range(3):
        create(hostname=f"web-{number}")
    step()
    time.sleep(1)
    cloud.shorten_next_list(keep=2, total=4, times=1)
    singly = cloud.calls("GET", ONE)
    step()
    step()
    assert all(rule["times_left"] == 0 for rule in cloud.faults())
    assert list(Operation.objects.values_list("status", "attempts")) == [("completed", 0)] * 3
    assert cloud.calls("GET", ONE) == singly


def test_it_calls_nothing_gone_that_such_a_list_lacks(create, cloud, step, monkeypatch, quick_looks):
    monkeypatch.setattr(client, "PAGE", 2)
    cloud.set(boot_seconds=60)
    for number in range(3):
        create(hostname=f"web-{number}")
    step()
    cloud.shorten_next_list(keep=1, total=4, times=1)
    step()
    assert set(Server.objects.values_list("seen_state", flat=True)) == {"starting"}


def test_it_compares_again_after_such_a_list(up, cloud, step, account, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    up()
    up(hostname="web-02")
    comparison = compare_account(account=account)
    cloud.shorten_next_list(keep=1, total=3, times=1)
    step()
    comparison.refresh_from_db()
    assert (comparison.status, comparison.attempts) == ("running", 0)
    step()
    comparison.refresh_from_db()
    assert comparison.result == {"servers": 2, "drifted": [], "orphans": []}


# ── a restored database ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def restored(create, cloud, step):
    """Let the database forget, as an older one does, that machines were ordered; then a worker starts."""

    def restore(count):
        cloud.set(boot_seconds=1)
        for number in range(count):
            create(hostname=f"web-{number}")
        step()
        assert len(cloud.servers()) == count
        create(hostname="late")
        Operation.objects.update(state={}, status="pending", started_at=None, deadline_at=None)
        Server.objects.update(ref="", disks=[], seen_state="", ip_address=None, ordered_at=None)
        nodes.register_heartbeat("node", workers=2)
        cloud.set(boot_seconds=0)

    return restore


def test_it_makes_no_machine_twice_after_a_restore(restored, cloud, run_worker, lists):
    restored(5)
    run_worker()
    assert sorted(Server.objects.values_list("ref", flat=True)) == sorted(one["uuid"] for one in cloud.servers())
    assert len(cloud.servers()) == Server.objects.filter(status="running").count() == 6
    assert len(cloud.creates()) == 6


def test_it_looks_for_all_machines_by_one_list_after_a_restore(restored, create, step, cloud, lists):
    restored(3)
    for number in range(6):
        create(hostname=f"later-{number}")
    before = lists()
    step()
    step()
    assert len(cloud.servers()) == 3 + 1 + 6
    assert lists() - before <= 1 + 3 + 1  # one list for all, one look for each machine that it shows, one for states


def test_it_looks_for_each_machine_where_no_list_is_complete(restored, cloud, run_worker, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 2)
    restored(4)
    cloud.shorten_next_list(keep=1, total=6, times=1)
    run_worker()
    assert len(cloud.servers()) == len(cloud.creates()) == 5


def test_it_looks_for_nothing_when_no_worker_has_started_since(create, cloud, step, lists):
    nodes.register_heartbeat("node", workers=2)
    WorkerNode.objects.update(started_at="2020-01-01T00:00:00Z")
    before = lists()
    create()
    step()
    assert (len(cloud.creates()), lists()) == (1, before)


def test_it_counts_a_database_restored_beneath_a_node_as_a_start(db):
    last = nodes.register_heartbeat("node", workers=2)
    start = nodes.last_start()
    last = nodes.register_heartbeat("node", workers=2, last=last)
    assert nodes.last_start() == start
    older = WorkerNode.objects.values().get()
    last = nodes.register_heartbeat("node", workers=2, last=last)
    WorkerNode.objects.filter(pk="node").update(**older)
    nodes.register_heartbeat("node", workers=2, last=last)
    assert nodes.last_start() > start
