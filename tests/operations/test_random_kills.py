"""Workers are killed at random, nodes crash, the database restarts, and each operation is done once."""

import os
import random
import time
from contextlib import ExitStack
from functools import cache

import pytest
from django.db import connection

from apps.operations.models import Event, Operation
from apps.providers.services import refresh_catalog, register_account
from apps.servers.models import Server
from apps.servers.services import create_server, delete_server
from apps.workspaces.models import Workspace
from tests.operations.crash_limit import below_crash_limit
from tests.operations.databases import PostgreSQL, SQLite, connected
from tests.operations.fleet import Fleet
from tests.operations.private_postgresql import private_server
from tests.operations.probes import ledger
from tests.providers.cloud import Cloud
from tests.providers.clouds.local import clear, containers, usable_engine
from tests.system.service import service

pytestmark = pytest.mark.slow

OPERATIONS, KILLS, MACHINES, CONTAINERS = 300, 30, 40, 50


def kill_at_random(fleet, *, kills, pause, restart=None):
    """Kill workers at random; after a third and two thirds a whole node, half-way the database's server."""
    for number in range(kills):
        time.sleep(random.uniform(pause / 2, pause * 3 / 2))
        fleet.kill_any_worker()
        if number in (kills // 3, 2 * kills // 3):
            fleet.crash_oldest()
        if restart and number == kills // 2:
            with below_crash_limit(fleet.everything, losses=2):  # a step may begin again before the server is down
                pass
            restart()
            connection.close()


def assert_each_is_done_once(made, *, begun):
    done = Operation.objects.in_bulk([one.pk for one in made])
    assert len(done) == len(made), "none is lost"
    assert {(one.status, one.error) for one in done.values()} == {("completed", None)}
    assert set(done_fields(done)) == {(None, "", 0)}, "none is stuck"
    effects = [words[0] for words in ledger.lines() if words[1] == "effect"]
    assert sorted(effects) == sorted(str(one.pk) for one in made), "each effect once"
    assert len([words for words in ledger.lines() if words[1] == "began"]) > begun, "the kills did hit"
    for one in made:
        seqs = list(Event.objects.filter(operation=one.pk).order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))


def done_fields(done):
    return [(one.due_at, one.lease_owner, one.crash_count) for one in done.values()]


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A PostgreSQL server that may be restarted, made when first asked for; gives its restart and its databases."""
    with ExitStack() as stack:

        @cache
        def make():
            server = stack.enter_context(private_server())
            return server.restart, PostgreSQL(tmp_path_factory.mktemp("private"), server.url)

        yield make


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def stage(request, databases, private, probes, tmp_path, monkeypatch, django_db_blocker):
    """A fleet, and what restarts its database's server: PostgreSQL is one of the test's own here."""
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        restart = None
        if request.param == "SQLite":
            url = stack.enter_context(databases(SQLite).fresh())
        else:
            restart, system = private()
            url = stack.enter_context(system.fresh())
        stack.enter_context(connected(url))
        fleet = Fleet({"DATABASE_URL": url, "EMULATOR_BOOT_SECONDS": "0.5"}, tmp_path)
        stack.callback(fleet.clear)
        monkeypatch.setitem(os.environ, "LEDGER", str(fleet.ledger))
        yield fleet, restart


def test_random_kills_lose_and_repeat_nothing(stage, submit, ended):
    fleet, restart = stage
    fleet.start(2, WORKERS="4")
    made = submit("provision", count=OPERATIONS, seconds=0.15)
    kill_at_random(fleet, kills=KILLS, pause=0.6, restart=restart)  # a busy machine must end steps between two kills
    ended(*made, seconds=120)
    assert_each_is_done_once(made, begun=OPERATIONS)
    assert all(node.stop() < 10 for node in fleet.nodes)


def test_random_kills_create_each_machine_once(stage, ended):
    fleet, restart = stage
    with service(
        **{name: fleet.environment[name] for name in ("DATABASE_URL", "VAR_DIR", "EMULATOR_BOOT_SECONDS")}
    ) as port:
        cloud = Cloud(f"http://127.0.0.1:{port}/emulator")
        fleet.start(2, WORKERS="4")
        made = order(cloud, ended, count=MACHINES)
        kill_at_random(fleet, kills=9, pause=0.3, restart=restart)
        done = ended(*made, seconds=120)
        assert {(one.status, one.error) for one in done} == {("completed", None)}
        servers = list(Server.objects.all())
        assert {server.status for server in servers} == {"running"}
        assert [len(cloud.creates(server.id)) for server in servers] == [1] * MACHINES
        assert len(cloud.servers()) == MACHINES
        assert not cloud.deletes()
        cloud.close()


def order(cloud, ended, *, count):
    """Ask for machines, at an account on the emulated cloud."""
    Workspace.objects.create(name="production", path="/opt/workspaces/production", active=True)
    credentials = {"username": "emulator", "password": "emulator"}
    account = register_account(provider="upcloud", name="default", endpoint=cloud.url, credentials=credentials)
    assert ended(refresh_catalog(account=account)).status == "completed"
    what = {"workspace": "production", "provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1"}
    return [create_server(actor=None, hostname=f"web-{number}", **what) for number in range(count)]


def test_engine_and_database_agree_after_random_kills_and_faults(stage, ended):
    engine, installation = usable_engine(), f"kills-{os.getpid()}"
    fleet, restart = stage
    try:
        fleet.environment["INSTALLATION"] = installation
        fleet.start(2, WORKERS="4")
        made = containers_ordered(ended, count=CONTAINERS)
        kill_at_random(fleet, kills=12, pause=0.4, restart=restart)
        assert {(one.status, one.error) for one in ended(*made, seconds=180)} == {("completed", None)}
        servers = {server.ref: server.id for server in Server.objects.all()}
        found = {ref: item["Labels"]["prov-machine"] for ref, item in containers(engine, installation).items()}
        assert len(servers) == CONTAINERS and found == servers, "one container for each server, and no other"
        assert {item["State"] for item in containers(engine, installation).values()} == {"running"}
        assert len(set(Server.objects.values_list("ip_address", flat=True))) == CONTAINERS
        gone = [delete_server(server_id=server, actor=None) for server in servers.values()]
        kill_at_random(fleet, kills=6, pause=0.4)
        assert {(one.status, one.error) for one in ended(*gone, seconds=180)} == {("completed", None)}
        assert containers(engine, installation) == {} and not Server.objects.exists()
    finally:
        fleet.clear()
        clear(engine, installation)
        engine.close()


def containers_ordered(ended, *, count):
    """Ask for small containers on this machine."""
    Workspace.objects.create(name="production", path="/opt/workspaces/production", active=True)
    account = register_account(provider="local", name="default", endpoint="", credentials={})
    assert ended(refresh_catalog(account=account)).status == "completed"
    what = {"workspace": "production", "provider": "local", "plan": "1xCPU-1GB", "zone": "local"}
    return [create_server(actor=None, hostname=f"web-{number}", **what) for number in range(count)]
