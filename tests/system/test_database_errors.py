"""How errors of the database are reported: only a taken name as taken, only a lost connection as unavailable."""

import logging
import re
import threading
from pathlib import Path

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection, transaction

from apps.operations.models import Operation
from apps.servers import services
from apps.servers.errors import HostnameTaken
from apps.servers.models import Server
from apps.system import database
from apps.system.database import integrity_error_as
from apps.workspaces.models import Workspace
from tests.console import a_server
from tests.operations.conftest import database as own_database  # noqa: F401 - a database of each kind
from tests.operations.conftest import databases, system  # noqa: F401

ROOT = Path(__file__).parent.parent.parent


def test_only_the_constraint_that_means_taken_is_reported_as_taken(api, alice, body):
    assert api(alice).post("/v1/servers/create", body).status_code == 200
    taken = api(alice).post("/v1/servers/create", body)
    assert (taken.status_code, taken.json()["error"]) == (409, "CONFLICT")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("CREATE UNIQUE INDEX of_a_newer_version ON servers_server (zone)")
    other = api(alice).post("/v1/servers/create", {**body, "hostname": "web-02"})
    assert (other.status_code, other.json()["error"]) == (500, "INTERNAL_ERROR")
    assert Server.objects.count() == 1


def test_a_second_row_of_one_key_is_no_taken_hostname(account, workspace):
    server = a_server(account, workspace)
    again = Server(pk=server.pk, workspace=workspace, account=account, hostname="other", provider="upcloud")
    with (
        pytest.raises(IntegrityError),
        integrity_error_as(HostnameTaken(hostname="x", workspace="y"), "one_server_of_a_hostname"),
    ):
        again.save(force_insert=True)


def test_every_constraint_that_the_code_names_is_there():
    text = "\n".join(path.read_text() for path in (ROOT / "apps").rglob("*.py"))
    named = set(re.findall(r'"((?:one_[a-z_]+)|(?:[a-z_]+_key))"', text)) & set(
        re.findall(
            r'"([a-z_]+)"', "\n".join(re.findall(r"integrity_error_as\(.*\)|breaks\(.*\)|ONE_OF_A_NAME = .*", text))
        )
    )
    assert {"one_server_of_a_hostname", "workspaces_workspace_path_key", "one_account_of_a_name"} <= named
    assert all(database.sqlite_name(name) for name in named)


def test_a_missing_table_is_a_bug_with_a_traceback(api, alice, workspace, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE workflows_workflow RENAME TO workflows_elsewhere")
    answer = api(alice).get("/v1/workflows")
    assert (answer.status_code, answer.json()["error"]) == (500, "INTERNAL_ERROR")
    assert [record for record in caplog.records if record.exc_info]


def test_what_a_deadlock_of_postgresql_ended_is_done_again(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: nobody waits for anybody in a circle")
    tries = []

    def transact():
        tries.append(1)
        with transaction.atomic(), connection.cursor() as cursor:
            if len(tries) < 3:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")
        return "done"

    assert database.repeated(transact) == "done"
    assert len(tries) == 3


def test_statements_that_cannot_work_are_not_taken_for_a_database_that_is_away(db):
    with pytest.raises((OperationalError, ProgrammingError)) as caught, transaction.atomic():
        connection.cursor().execute("SELECT * FROM no_such_table")
    assert not database.is_unavailable(caught.value)
    assert database.described(caught.value) == "the database refused a statement"


@pytest.mark.parametrize(
    ("error", "expected", "is_bug"),
    [
        (OperationalError("connection refused\nIs the server running?"), "the database does not answer", False),
        (InterfaceError("connection already closed"), "the database does not answer", False),
        (ProgrammingError("no such table"), "the database refused a statement", True),
    ],
)
def test_a_loop_logs_one_line_and_where_it_was_only_of_a_bug(error, expected, is_bug, caplog):
    database.log_trouble(logging.getLogger("apps.loop"), error)
    [record] = caplog.records
    assert record.getMessage() == f"{expected} ({str(error).splitlines()[0]}); trying again"
    assert bool(record.exc_info) is is_bug


def test_a_server_that_is_away_is_unavailable():
    error = OperationalError("connection refused")
    assert database.is_unavailable(error)
    assert not database.is_conflict(error)


def test_a_forced_deletion_locks_in_the_order_of_a_cancellation(own_database):  # noqa: F811
    if connection.vendor != "postgresql":
        return
    from apps.providers.models import CloudAccount

    workspace = Workspace.objects.create(name="production", path="/opt/workspaces/production")
    account = CloudAccount.objects.create(provider="upcloud", name="default")
    server = a_server(account, workspace, status="pending")
    holder = Operation.objects.create(kind="server.create", workspace=workspace, target=server.target)

    def delete():
        try:
            services.delete_server(server_id=server.pk, actor=None, force=True)
        finally:
            connection.close()

    deletion = threading.Thread(target=delete)
    with transaction.atomic():
        Operation.objects.select_for_update().get(pk=holder.pk)
        deletion.start()
        deletion.join(1)
        assert deletion.is_alive(), "it waits for the operation"
        assert Server.objects.select_for_update(nowait=True).get(pk=server.pk)
    deletion.join(20)
    assert Operation.objects.unfinished().get(target=server.target).kind == "server.delete"


@pytest.fixture(autouse=True)
def _logged(caplog):
    caplog.set_level(logging.WARNING)
