"""manage.py doctor: each part shown in order, and each shown broken for real."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from apps.operations.worker import nodes
from apps.system import doctor
from apps.system.doctor import Check, examine, ok, program
from apps.system.encryption import seal
from apps.workspaces.models import Workspace
from tests.quiet_clock import QuietClock
from tests.system.diagnosis import found

ROOT = Path(__file__).parent.parent.parent
NAMES = ["database", "migrations", "writing", "settings", "clock", "secrets", "workers", "queue"]


def doctored(*arguments):
    """Run the command; gives its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def elsewhere(database, *, code="from django.core.management import call_command; call_command('doctor', '--json')"):
    """Run the command in a process of its own, with that database; gives exit code, findings and errors."""
    setup = "import django; django.setup(); from apps.system import doctor; doctor.DATABASE_SECONDS = 1.0; "
    environment = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "provisioning.settings"}
    done = subprocess.run(
        [sys.executable, "-c", setup + code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)}, done.stderr


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_it_finds_everything_in_order(account):
    nodes.register_heartbeat("node", workers=2)
    code, printed = doctored()
    assert code == 0, printed
    assert {finding.level for finding in examine() if finding.name != "engine"} == {"ok"}
    assert "ok     account upcloud/default: It answers, and takes the credentials.\n" in printed


@pytest.mark.django_db
def test_it_begins_at_the_bottom_and_names_each_part(account):
    nodes.register_heartbeat("node", workers=2)
    names = [finding.name for finding in examine()]
    assert names[: len(NAMES)] == NAMES
    assert {"engine", "account upcloud/default", "catalogs", "ssh", "ansible"} <= set(names)


@pytest.mark.django_db
def test_it_prints_findings_as_json_too():
    code, printed = doctored("--json")
    shown = {each.pop("name"): each for each in json.loads(printed)}
    assert code == 1
    assert shown["workers"] == {
        "level": "FAIL",
        "found": "None is running, so nothing is done.",
        "advice": "Start `manage.py worker`.",
    }
    assert all(each["advice"] for each in shown.values() if each["level"] != "ok")


@pytest.mark.django_db
def test_it_says_what_to_do_below_what_it_found():
    code, printed = doctored("--offline")
    assert code == 1
    assert "FAIL   workers: None is running, so nothing is done.\n       -> Start `manage.py worker`.\n" in printed


# ── without a database ────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_goes_on_when_the_database_is_away():
    code, shown, errors = elsewhere("postgres://nobody:pass-word@127.0.0.1:1/nothing")
    assert code == 1
    assert shown["database"]["level"] == "FAIL" and "Connection refused" in shown["database"]["found"]
    assert shown["workers"]["level"] == "warn" and shown["workers"]["found"] == "Not known without the database."
    assert shown["ansible"]["level"] == shown["settings"]["level"] == "ok"
    assert "pass-word" not in str(shown) + errors


def test_it_makes_no_file_where_there_is_no_database(tmp_path):
    code, shown, _ = elsewhere(f"sqlite:///{tmp_path}/provisioning.sqlite3")
    assert code == 1
    assert shown["database"]["found"] == f"There is no file {tmp_path}/provisioning.sqlite3."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_does_not_hang_with_the_database():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with QuietClock() as clock:
            code, shown, _ = elsewhere(f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing")
        assert clock.seconds < 20
    assert code == 1
    assert (shown["database"]["level"], shown["database"]["found"]) == ("FAIL", "No answer within 1 s.")


# ── the database ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_it_names_a_migration_that_is_not_applied():
    last = MigrationRecorder.Migration.objects.filter(app="operations").order_by("-name").first()
    last.delete()
    [(level, message, advice)] = found("migrations")
    assert (level, message, advice) == (
        "FAIL",
        f"The database lacks migrations of this version (operations.{last.name}).",
        "Run `manage.py migrate`.",
    )


@pytest.mark.django_db(transaction=True)
def test_it_sees_that_the_database_cannot_be_written():
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}
    with connection.cursor() as cursor:
        cursor.execute(read_only[connection.vendor])
    [(level, message, _)] = found("writing")
    assert level == "FAIL" and re.match("The database cannot be written: .*read-?only", message)
    assert found("writing")[0][0] == "ok"  # on a new connection


@pytest.mark.django_db(transaction=True)
def test_it_says_when_a_probe_is_refused_by_the_database():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE operations_workernode RENAME TO operations_lost")
    try:
        [(level, message, advice)] = found("workers")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE operations_lost RENAME TO operations_workernode")
    assert level == "FAIL" and "operations_workernode" in message and "\n" not in message
    assert advice.startswith("Run `manage.py migrate`")


@pytest.mark.django_db
@pytest.mark.parametrize("vendor", ["postgresql"], ids=["PostgreSQL"])
def test_it_sees_that_the_database_s_clock_is_another(vendor):
    if connection.vendor != vendor:
        pytest.skip("SQLite reads this machine's clock")
    now = "SELECT pg_catalog.clock_timestamp() + interval '5 seconds'"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $${now}$$")
        cursor.execute("SET LOCAL search_path = public, pg_catalog")
    [(level, message, _)] = found("clock")
    assert (level, message) == ("warn", "This machine is 5.0 s behind the database's clock.")


# ── settings and secrets ──────────────────────────────────────────────────────────────────────────────────────────────
def test_it_sums_up_what_the_checks_of_a_deployment_say(settings):
    settings.DEVELOPMENT, settings.SECRET_KEY, settings.DEBUG = False, "short", True
    settings.ALLOWED_HOSTS = ["api.example.com"]
    lines = found("settings")
    failures = [message for level, message, _ in lines if level == "FAIL"]
    assert failures == [
        "SECRET_KEY is the development key, or shorter than 50 characters, or repeats a few. (system.E001)",
        "DEBUG is on: errors would show code and settings. (system.E002)",
        "EMULATOR is on: anybody could create machines that do not exist. (system.E003)",
    ]
    assert all(advice for _, _, advice in lines)
    assert any(level == "warn" for level, _, _ in lines)  # such as cookies over plain HTTP


@pytest.mark.django_db
def test_it_names_secrets_that_no_key_opens(settings):
    for name, key in (("lost", "lost-key"), ("older", "old-key"), ("newer", "new-key")):
        settings.CREDENTIALS_KEYS = [key]
        Workspace.objects.create(name=name, path=f"/opt/workspaces/{name}", sealed_ssh_key=seal(name))
    settings.CREDENTIALS_KEYS = ["new-key", "old-key"]
    lost = Workspace.objects.get(name="lost")
    assert [(level, message) for level, message, _ in found("secrets")] == [
        ("FAIL", f"No key opens workspaces.Workspace {lost.pk} (lost), sealed_ssh_key."),
        ("warn", "1 are encrypted with another key than the first of CREDENTIALS_KEYS."),
    ]


# ── programs and probes ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def script(tmp_path, monkeypatch):
    """Put a program on PATH that shadows none."""

    def write(name, text):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return write


def test_it_misses_the_ssh_client(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found("ssh") == [
        ("FAIL", "There is no ssh on PATH.", "Install an OpenSSH client: `apt install openssh-client`.")
    ]


def test_it_finds_ansible_beside_python(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    [(level, message, _)] = found("ansible")
    assert level == "ok" and message.startswith(
        str(Path(sys.executable).parent / "ansible-playbook: ansible-playbook [")
    )


def test_it_says_that_a_program_is_broken_or_hangs(script, monkeypatch, tmp_path):
    script("broken-tool", "echo secret; exit 3")
    script("hanging-tool", "exec sleep 60")
    monkeypatch.setattr(doctor, "PROGRAM_SECONDS", 0.2)
    broken, hanging = (program("x", name, advice="Mend it.") for name in ("broken-tool", "hanging-tool"))
    assert (broken.level, broken.found) == ("FAIL", f"{tmp_path}/broken-tool ended with exit code 3.")
    assert (hanging.level, hanging.found) == ("FAIL", f"{tmp_path}/hanging-tool did not end within 0.2 s.")


def test_it_ends_a_probe_that_hangs_and_asks_no_more_of_others_offline():
    hanging = Check(name="hanging", look=lambda: time.sleep(60), seconds=0.1)
    assert [(finding.name, finding.found) for finding in doctor.run(hanging, answers=True)] == [
        ("hanging", "No answer within 0.1 s.")
    ]
    inner = Check(name="inner", look=lambda: [ok("inner", "there")], uses_network=True)
    outer = Check(name="outer", look=lambda: [ok("outer", "here"), inner])
    assert [finding.name for finding in doctor.run(outer, answers=True)] == ["outer", "inner"]
    assert [finding.name for finding in doctor.run(outer, answers=True, offline=True)] == ["outer"]


def test_it_tries_to_reach_the_package_sources(settings):
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        proxy, debian = f"http://127.0.0.1:{port}", {"mirror": "http://user:pass-word@127.0.0.1:1/debian"}
        settings.TASKSERV_PACKAGE_SOURCES = {"proxy": proxy, "debian": debian}
        near, away = found("package sources")
    assert near[:2] == ("ok", f"http://127.0.0.1:{port} can be reached from here.")
    assert away[:2] == ("warn", "http://127.0.0.1:1 cannot be reached from here: Connection refused.")


def test_it_knows_no_package_source_that_is_not_in_the_catalog(settings):
    settings.TASKSERV_PACKAGE_SOURCES = {"redsi": {}}
    [unknown] = found("package sources")
    assert unknown[:2] == ("warn", "the catalog has no taskserv redsi; did you mean redis?")
