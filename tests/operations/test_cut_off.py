"""A node that is cut off from PostgreSQL ends its step when its lease ends, before another node begins it."""

from urllib.parse import urlsplit

import pytest

from tests.operations.databases import PostgreSQL
from tests.operations.fleet import eventually
from tests.operations.probes import ledger
from tests.operations.processes import is_alive
from tests.operations.proxy import Proxy

LEASE = 4


@pytest.fixture
def system(databases):
    return databases(PostgreSQL)


@pytest.fixture
def proxy(database):
    parts = urlsplit(database)
    proxy = Proxy(parts.hostname, parts.port or 5432)
    yield proxy
    proxy.close()


@pytest.mark.slow
def test_a_node_that_is_cut_off_ends_its_step_with_its_lease(database, fleet, proxy, submit, began):
    parts = urlsplit(database)
    through = parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}").geturl()
    fleet.start(DATABASE_URL=through, LEASE_SECONDS=str(LEASE), WORKERS="1")
    operation = submit("start_programs")
    began(operation)
    programs = eventually(lambda: (found := ledger.lines(operation.pk, "child"))[1:] and found, what="two programs")
    pids = [int(line[2]) for line in programs]
    proxy.cut()
    eventually(lambda: not any(map(is_alive, pids)), LEASE + 15, "the end of what the step had started")
    operation.refresh_from_db()
    assert operation.status == "running", "its row says nothing of the step that was cut off"
