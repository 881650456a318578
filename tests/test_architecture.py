"""What holds for the whole project: style, layers, migrations, schema, sizes and deployment checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from tests.reference import endpoints

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SOURCES = [path for room in ("apps", "provisioning", "tests", "bench") for path in (ROOT / room).rglob("*.py")]
MOST_LINES = 300


def run(*command, **environment):
    return subprocess.run(
        command, cwd=ROOT, env=environment or None, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "command", ["ruff check --no-cache .", "ruff format --check --no-cache .", "lint-imports --no-cache"]
)
def test_it_keeps_its_style_and_its_layers(command):
    program, *arguments = command.split()
    done = run(BIN / program, *arguments)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def test_it_has_a_migration_for_every_model(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_it_has_small_modules():
    sizes = {path: path.read_text().count("\n") for path in SOURCES if "migrations" not in path.parts}
    assert {str(path): size for path, size in sizes.items() if size > MOST_LINES} == {}


# ── the schema ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    return yaml.safe_load(path.read_text())


def shape_of(schema, content):
    """Return a JSON body's shape, that of one item for a list."""
    shape = content["application/json"]["schema"]
    shape = shape.get("items", shape)
    assert list(content) == ["application/json"]
    return schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]


@pytest.mark.parametrize("endpoint", endpoints(), ids=str)
def test_it_describes_each_documented_endpoint(endpoint, schema):
    found = schema["paths"][endpoint.path][endpoint.method.lower()]
    answers = found["responses"]
    expected = {"200", "400", "405", "500", "503"} | {str(status) for status in endpoint.statuses}
    if endpoint.permission:
        expected |= {"401", "403"}
        assert found["security"] == [{"token": []}]
    if "{id}" in endpoint.path:
        expected |= {"404"}
    assert expected <= set(answers)
    documented = endpoint.response[0] if isinstance(endpoint.response, list) else endpoint.response
    answered = shape_of(schema, answers["200"]["content"])
    assert list(answered["properties"]) == answered["required"] == list(documented)
    if endpoint.request:
        assert list(shape_of(schema, found["requestBody"]["content"])["properties"]) == list(endpoint.request)
    for status, answer in answers.items():
        if status != "200" and (endpoint.path, status) != ("/health", "503"):
            assert shape_of(schema, answer["content"])["required"] == ["error", "message", "code"]


# ── deployment ────────────────────────────────────────────────────────────────────────────────────────────────────────
GOOD = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "Zk3v-9sLq2_xT7wYb8RnUc5JhE1dGf6PaM0oVi4BtKyXrQzWeSjDgHlNmCu",
    "ALLOWED_HOSTS": "api.example.com",
    "DATABASE_URL": "postgres://provisioning@db.example.com/provisioning",
}


@pytest.fixture
def check(tmp_path):
    def deploy(**changes):
        environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)} | GOOD | changes
        given = {name: value for name, value in environment.items() if value is not None}
        return run(sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **given)

    return deploy


@pytest.mark.parametrize("changes", [{}, {"DATABASE_URL": None, "TRUSTED_PROXIES": "1"}], ids=["PostgreSQL", "SQLite"])
def test_it_finds_nothing_wrong_with_a_good_deployment(changes, check):
    done = check(**changes)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ALLOWED_HOSTS": ""}, {"ALLOWED_HOSTS"}),
        ({"SECRET_KEY": "k3v-9sLq2_xT7wYb8RnUc5JhE1dGf6PaM0oVi4BtKyXrQz"}, {"SECRET_KEY"}),
        (
            {
                "SECRET_KEY": None,
                "DEBUG": "true",
                "EMULATOR": "true",
                "DATABASE_URL": None,
                "NODES": "2",
                "ALLOWED_HOSTS": None,
            },
            {"SECRET_KEY", "DEBUG", "EMULATOR", "NODES", "ALLOWED_HOSTS"},
        ),
    ],
    ids=["one", "another", "all"],
)
def test_it_names_each_setting_that_is_wrong_and_no_other(changes, named, check):
    done = check(**changes)
    assert done.returncode != 0
    faults = [line for line in done.stderr.splitlines() if "(system.E" in line]
    assert {name for name in changes for fault in faults if name in fault} >= named
    assert len(faults) == len(named)


def test_it_asks_nothing_of_a_development_machine(check):
    done = check(ENVIRONMENT="development", SECRET_KEY=None, ALLOWED_HOSTS=None, DATABASE_URL=None)
    assert "(system.E" not in done.stderr
