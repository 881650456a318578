"""Fresh databases, migrated once and copied: SQLite files, and databases on the PostgreSQL server there is."""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import environ
import psycopg
import pytest
from django.db import connections

from tests.operations.fleet import ROOT

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


def migrate(url, directory):
    """Make all tables."""
    environment = os.environ | {"DATABASE_URL": url, "VAR_DIR": str(directory), "ENVIRONMENT": "development"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)


@cache
def migrated_file():
    """Make all tables in a SQLite file, once for all processes of one run of the suite; gives its path."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", os.getpid())
    path = Path(tempfile.gettempdir()) / f"provisioning-template-{run}.sqlite3"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            partial = path.with_suffix(".partial")
            with tempfile.TemporaryDirectory() as directory:
                migrate(f"sqlite:///{partial}", directory)
            partial.replace(path)
    for file in (path, path.with_suffix(".lock")):
        atexit.register(file.unlink, missing_ok=True)
    return path


class SQLite:
    """Database files in one directory."""

    def __init__(self, directory):
        self.directory = directory
        self.template = directory / "template.sqlite3"
        shutil.copy(migrated_file(), self.template)

    @contextmanager
    def fresh(self):
        """Give the URL of an empty database."""
        path = self.directory / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copy(self.template, path)
        yield f"sqlite:///{path}"

    def clear(self):
        pass


class PostgreSQL:
    """Databases on one server."""

    def __init__(self, directory, server=POSTGRES):
        self.server = server
        self.template = f"provisioning_{uuid.uuid4().hex}"
        self.do(f"CREATE DATABASE {self.template}")
        migrate(self.url(self.template), directory)

    def url(self, name):
        return self.server.rpartition("/")[0] + "/" + name

    def do(self, statement):
        with psycopg.connect(self.server, autocommit=True, connect_timeout=10) as server:
            server.execute(statement)

    @contextmanager
    def fresh(self):
        """Give the URL of an empty database."""
        name = f"provisioning_{uuid.uuid4().hex}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        try:
            yield self.url(name)
        finally:
            self.do(f"DROP DATABASE {name} WITH (FORCE)")

    def clear(self):
        self.do(f"DROP DATABASE {self.template} WITH (FORCE)")


def refuse_without_postgresql():
    """Skip where there is no server; where everything must be tested, fail."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"no PostgreSQL at TEST_POSTGRES_URL: {error}")


@contextmanager
def connected(url):
    """Let this process, too, work in that database instead of the suite's own."""
    before, settings = connections["default"], connections.databases["default"]
    given = environ.Env.db_url_config(url)
    common = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "TIME_ZONE": None, "AUTOCOMMIT": True}
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE"} if url.startswith("sqlite") else {"connect_timeout": 10}
    connections.databases["default"] = settings | given | common | {"OPTIONS": options, "ATOMIC_REQUESTS": False}
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"], connections["default"] = settings, before
