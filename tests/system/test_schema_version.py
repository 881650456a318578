"""Workers and web processes refuse to start on tables of another version, and say what to run."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from apps.system.schema_version import mismatch
from tests.operations.databases import SQLite
from tests.operations.fleet import ROOT
from tests.system.development import free_port

STARTS = [["manage.py", "worker"], ["-c", "import provisioning.asgi"]]
NEWER = "INSERT INTO django_migrations (app, name, applied) VALUES ('servers', '9999_beyond', '2030-01-01')"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return SQLite(tmp_path_factory.mktemp("schema")).template


def start(file, command, statement=""):
    """Start a process on that database, changed by a statement; return its exit code and output."""
    with sqlite3.connect(file) as database:
        database.execute(statement)
    database.close()
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{file}", "VAR_DIR": str(file.parent)}
    environment["PORT"] = str(free_port())
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", STARTS, ids=["worker", "web"])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "DELETE FROM django_migrations WHERE app = 'operations' AND name LIKE '0005%'",
            "The database lacks migrations of this version (operations.0005_node_clocks): run `manage.py migrate`.",
        ),
        (
            NEWER,
            "The database has migrations that version 0.1.0 does not know (servers.9999_beyond): install the newer",
        ),
    ],
    ids=["older", "newer"],
)
def test_it_refuses_tables_of_another_version(command, statement, message, file, tmp_path):
    code, output = start(Path(shutil.copy(file, tmp_path)), command, statement)
    assert (code, message in output, "Traceback" in output) == (1, True, False), output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("dev", "CommandError: The database has migrations that version 0.1.0 does not know (servers.9999_beyond): in"),
        (
            "doctor",
            "FAIL   migrations: The database has migrations that version 0.1.0 does not know (servers.9999_beyond)",
        ),
    ],
)
def test_it_is_told_once_by_what_starts_them_and_by_the_doctor(command, message, file, tmp_path):
    code, output = start(Path(shutil.copy(file, tmp_path)), ["manage.py", command], NEWER)
    assert (code, output.count("does not know"), message in output) == (1, 1, True), output


def test_it_starts_on_its_own_tables(file):
    assert start(file, STARTS[1]) == (0, "")


def test_these_tables_are_this_version_s(db):
    assert mismatch() == ""
