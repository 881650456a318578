"""Both databases, a fleet of workers on each, and a hand to submit with."""

import os
from contextlib import ExitStack, contextmanager

import pytest

from apps.operations import registry, services
from apps.operations.models import Operation
from tests.operations.databases import PostgreSQL, SQLite, connected, refuse_without_postgresql
from tests.operations.fleet import PATIENCE, Fleet, eventually
from tests.operations.probes import ledger
from tests.operations.probes.kinds import KINDS


@pytest.fixture(scope="session")
def databases(tmp_path_factory):
    """Give a database system by its name, made when first asked for."""
    made = {}

    def system(kind):
        if kind is PostgreSQL:
            refuse_without_postgresql()
        if kind not in made:
            made[kind] = kind(tmp_path_factory.mktemp(kind.__name__))
        return made[kind]

    yield system
    for one in made.values():
        one.clear()


def on_both():
    """Return both database systems; the one that this run is not about is left to the runs of everything."""
    run_by = PostgreSQL if os.environ.get("DATABASE_URL", "").startswith("postgres") else SQLite
    return [
        pytest.param(kind, id=kind.__name__, marks=() if kind is run_by else pytest.mark.slow)
        for kind in (SQLite, PostgreSQL)
    ]


@pytest.fixture(params=on_both())
def system(request, databases):
    return databases(request.param)


@pytest.fixture
def probes(monkeypatch):
    """Know the kinds that misbehave here as well."""
    monkeypatch.setattr(registry, "_kinds", registry.kinds())
    registry.register_kinds(KINDS)


@pytest.fixture
def database(system, django_db_blocker):
    """A fresh database that this process works in, too; gives its URL."""
    with django_db_blocker.unblock(), system.fresh() as url, connected(url):
        yield url


@pytest.fixture
def fleet(database, probes, tmp_path, monkeypatch):
    """Workers on that database, none at first."""
    fleet = Fleet({"DATABASE_URL": database}, tmp_path)
    monkeypatch.setitem(os.environ, "LEDGER", str(fleet.ledger))
    yield fleet
    fleet.clear()


@pytest.fixture
def scene(databases, probes, django_db_blocker, tmp_path, monkeypatch):
    """Make fleets, each on a database of its own, all at once; gives a fleet and what enters its database."""
    with django_db_blocker.unblock(), ExitStack() as stack:

        def make(name, kind, **environment):
            url = stack.enter_context(databases(kind).fresh())
            directory = tmp_path / name
            directory.mkdir()
            fleet = Fleet({"DATABASE_URL": url}, directory)
            stack.callback(fleet.clear)
            fleet.start(**environment)

            @contextmanager
            def enter():
                monkeypatch.setitem(os.environ, "LEDGER", str(fleet.ledger))
                with connected(url):
                    yield

            return fleet.nodes[0], enter

        yield make


@pytest.fixture
def submit():
    """Submit probes by name; gives an operation, or a list of `count`."""

    def go(name, *, count=None, time_limit=None, target="", **params):
        made = [
            services.submit(
                kind=f"probe.{name}", workspace=None, actor=None, params=params, target=target, time_limit=time_limit
            )
            for _ in range(count or 1)
        ]
        return made if count else made[0]

    return go


@pytest.fixture
def ended():
    """Wait until operations have ended, with nothing left to do; gives them as they are then."""

    def wait(*operations, seconds=PATIENCE):
        ids = [operation.pk for operation in operations]
        left = Operation.objects.unfinished().filter(pk__in=ids)
        eventually(lambda: not left.exists(), seconds, "the end of all operations")
        found = Operation.objects.in_bulk(ids)
        return [found[id] for id in ids] if len(ids) > 1 else found[ids[0]]

    return wait


@pytest.fixture
def began():
    """Wait until a step of the operation has begun; gives the id of its process."""

    def wait(operation, times=1, seconds=PATIENCE):
        lines = eventually(
            lambda: (found := ledger.lines(operation.pk, "began"))[times - 1 :] and found, seconds, "a step's beginning"
        )
        return int(lines[times - 1][2])

    return wait
