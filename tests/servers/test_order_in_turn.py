"""Places for orders under way, asked for by many at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.servers.services.limits import release_order_slot, reserve_order_slot
from apps.workspaces.models import Workspace
from tests.operations.conftest import database, databases, system  # noqa: F401 - a database of each kind

MOST, MANY = 3, 8


@pytest.fixture
def queue(database):  # noqa: F811
    """Servers whose creations have begun, the oldest first."""
    workspace = Workspace.objects.create(name="production", path="/opt/workspaces/production")
    account = CloudAccount.objects.create(provider="upcloud", name="default", max_creating=MOST)
    facts = {"provider": "upcloud", "plan": "small", "zone": "de-fra1", "workspace": workspace, "account": account}
    servers = [Server.objects.create(hostname=f"web-{number}", **facts) for number in range(MANY)]
    for server in servers:
        about = {"target": server.target, "limit_key": account.limit_key, "workspace": workspace}
        Operation.objects.create(kind="server.create", status="running", wake_requested=False, **about)
    return servers


def all_at_once(act, servers):
    """Do something for each server at the same moment, each in a thread and on a connection of its own."""
    start = Barrier(len(servers))

    def one(server):
        try:
            connection.ensure_connection()
            start.wait(20)
            return act(server)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(one, servers))


def holders():
    return list(Server.objects.exclude(ordered_at=None).order_by("created_at", "id"))


def test_it_gives_no_more_places_than_there_are_and_gives_them_to_the_first(queue):
    results = all_at_once(reserve_order_slot, queue)
    assert holders() == queue[:MOST]
    assert [bool(why) for why in results] == [server not in queue[:MOST] for server in queue]


def test_it_hands_on_places_while_many_ask(queue):
    all_at_once(reserve_order_slot, queue)

    def act(server):
        return release_order_slot(server.pk) if server in queue[:MOST] else reserve_order_slot(server)

    all_at_once(act, queue)
    ended = Operation.objects.filter(target__in=[server.target for server in queue[:MOST]])
    ended.update(status="completed", due_at=None, ended_at=timezone.now())
    all_at_once(reserve_order_slot, queue[MOST:])
    assert holders() == queue[MOST : 2 * MOST]


def test_it_lets_nobody_wait_for_a_creation_that_has_not_begun(queue):
    Operation.objects.filter(target=queue[0].target).update(status="pending")
    all_at_once(reserve_order_slot, queue[1:])
    assert holders() == queue[1 : MOST + 1]
