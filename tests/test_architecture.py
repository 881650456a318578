"""What holds for the whole project: style, layers, migrations, schema, sizes and deployment checks."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml
from django.core.management import call_command

from apps.operations.registry import OperationKind
from tests.reference import endpoints

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SOURCES = [path for room in ("apps", "provisioning", "tests", "bench") for path in (ROOT / room).rglob("*.py")]
MAX_LINES = 300


def run(*command, seconds=120, **environment):
    return subprocess.run(
        command, cwd=ROOT, env=environment or None, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.mark.parametrize(
    "command", ["ruff check --no-cache .", "ruff format --check --no-cache .", "lint-imports --no-cache"]
)
def test_it_keeps_its_style_and_its_layers(command):
    program, *arguments = command.split()
    done = run(BIN / program, *arguments)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def test_it_has_true_types():
    done = run(BIN / "mypy", "--no-error-summary", seconds=400)
    assert done.returncode in (0, 1), done.stdout[-5000:] + done.stderr[-5000:]
    assert [line for line in done.stdout.splitlines() if ": error: " in line] == []


def test_it_has_a_migration_for_every_model(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_it_has_small_modules():
    sizes = {path: path.read_text().count("\n") for path in SOURCES if "migrations" not in path.parts}
    assert {str(path): size for path, size in sizes.items() if size > MAX_LINES} == {}


def test_it_reads_the_state_of_operations_by_its_types():
    untyped = re.compile(r"\b(context|operation|workflow)\.state\b")
    files = [path for path in (ROOT / "apps").rglob("*.py") if path.name not in ("progress.py", "handler_api.py")]
    assert [str(path) for path in files if untyped.search(path.read_text())] == []


def test_no_text_holds_the_markers_of_a_merge():
    texts = [path for kind in ("md", "yaml", "yml", "html", "txt") for path in ROOT.rglob(f"*.{kind}")]
    ours = [path for path in texts if not any(part.startswith((".", "var")) for part in path.relative_to(ROOT).parts)]
    assert len(ours) > 50
    assert [str(path) for path in ours if re.search(r"^(<{7}|>{7}) ", path.read_text(), re.M)] == []


# ── docs/architecture.md ──────────────────────────────────────────────────────────────────────────────────────────────
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def table(heading):
    """Return the first column of the table with this heading, a list of names for each row."""
    rows = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`([^`]+)`", row.split(" | ")[0]) for row in rows]


def test_its_layers_are_those_of_the_contracts():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    apps, inside = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert table("Apps") == [layer.split(" | ") for layer in apps]
    assert table("Module or package") == [layer.translate({40: "", 41: ""}).split(" | ") for layer in inside]
    for name in (name for layer in table("Apps") for name in layer):
        for picture in ("architecture.dot", "architecture.svg"):
            assert name in (ROOT / "docs" / picture).read_text()


def test_it_names_every_package_and_no_other():
    named = set(re.findall(r"`(apps/[\w/]+)/`", TEXT))
    assert {path for path in named if not (ROOT / path).is_dir()} == set()
    usual = {name for row in table("Module or package") for name in row} | {"migrations", "commands"}
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "apps").glob("*/**/__init__.py")}
    special = {str(path) for path in found if len(path.parts) > 2 and path.name not in usual}
    assert special - named == set()
    assert {path for path in named if (ROOT / path / "__init__.py").exists()} - special == set()


def test_it_names_what_is_there():
    for name in set(re.findall(r"`(apps\.[\w.]+)`", TEXT)):
        assert resolve_name(name) is not None, name


def test_it_names_every_function_that_registers():
    sources = "".join(path.read_text() for path in ROOT.glob("apps/*/apps.py"))
    called = set(re.findall(r"\b(register_\w+)\(", sources))
    assert called - {"register_check"} <= {name.rpartition(".")[2] for [name] in table("Extension point")}


def test_it_lists_the_fields_of_an_operation_kind():
    assert table("Field") == [[field.name] for field in fields(OperationKind)]


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
        taken, documented = shape_of(schema, found["requestBody"]["content"]), list(endpoint.request)
        assert list(taken["properties"])[: len(documented)] == documented
        assert set(taken.get("required", [])) <= set(documented), "what is not documented may be left out"
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
