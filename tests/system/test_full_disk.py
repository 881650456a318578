"""A full disk: requests that change nothing go on, errors and readiness name the disk, and it heals by itself."""

import errno
import shutil
import sqlite3
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError

from apps.system import disk, readiness
from apps.system.api.errors import refusal
from apps.system.database import described
from tests.operations.databases import SQLite
from tests.system.service import ask, service


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(disk, "_database_full_at", None)
    monkeypatch.setattr(readiness, "_complete_at", None)


@pytest.fixture
def small(tmp_path):
    """Mount a file system of four megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place):
    """Leave no byte."""
    with (place / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def wrapped(cause):
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


def sqlite_error(code):
    error = sqlite3.OperationalError("what it says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "cause", [sqlite_error(sqlite3.SQLITE_FULL), psycopg.errors.DiskFull("could not extend file")], ids=["SQLite", "pg"]
)
def test_it_names_the_database_s_disk(cause, api, db):
    error = refusal(wrapped(cause))
    assert (error.status, error.text) == (503, disk.DATABASE_FULL)
    assert described(wrapped(cause)) == "the disk of the database is full"
    answer = api().get("/health/ready")
    assert (answer.status_code, answer.json()["writing"]["message"]) == (503, disk.DATABASE_FULL)


def test_it_names_the_disk_of_the_files(db):
    error = refusal(OSError(errno.ENOSPC, "No space left on device", "/secret/path"))
    assert error.status == 503 and "VAR_DIR is full" in error.text and "/secret" not in error.text


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN])
def test_it_calls_no_other_fault_a_full_disk(code, db):
    assert refusal(wrapped(sqlite_error(code))).text == "The database does not answer; try again shortly."


def test_it_is_not_ready_where_nothing_can_be_written(api, db, settings, tmp_path):
    settings.VAR_DIR = tmp_path / "gone"
    answer = api().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["writing"] == {
        "ok": False,
        "message": "The folder of VAR_DIR cannot be written: No such file or directory.",
    }


def test_it_is_not_ready_before_its_tables_are_there(api, db):
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="operations").order_by("-name").first().delete()
    answer = api().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == {"ok": False, "message": "1 to apply; run `manage.py migrate`."}


@pytest.mark.slow
def test_it_serves_on_a_full_disk_and_heals(small, tmp_path):
    template = SQLite(tmp_path).template
    database = small / "provisioning.sqlite3"
    shutil.copy(template, database)
    body = '{"username": "alice", "password": "wrong"}'
    with service(DATABASE_URL=f"sqlite:///{database}", VAR_DIR=str(small)) as port:
        assert ask(port, "GET", "/health/ready")[0] == 200
        fill(small)
        for _ in range(5):
            assert ask(port, "GET", "/health")[0] in (200, 503)
            status, _, content = ask(port, "GET", "/health/ready")
            assert status == 503 and b"is full" in content, content
        status, _, content = ask(port, "POST", "/v1/auth/login", body)  # the failure is counted in the database
        assert status == 503 and b"The disk of the database is full" in content, content
        Path(small / "ballast").unlink()
        assert ask(port, "POST", "/v1/auth/login", body)[0] == 401
