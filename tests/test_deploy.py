"""The files in deploy/: sound, and with no command that this version does not have."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from provisioning import __version__
from tests.test_readme import CONFIGURATION

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PYTHON = "/opt/provisioning/.venv/bin/python"


def keys(unit):
    """Return a unit's keys with their values, in order."""
    lines = [line for line in unit.read_text().splitlines() if line and line[0] not in "#;"]
    assert all(re.fullmatch(r"\[(Unit|Service|Install)\]|[A-Z]\w+=.+", line) for line in lines), lines
    return [tuple(line.split("=", 1)) for line in lines if line[0] != "["]


def commands():
    """Return every command line in deploy/, without the interpreter."""
    for unit in UNITS:
        for key, value in keys(unit):
            if key.startswith("Exec"):
                yield shlex.split(value.removeprefix(PYTHON))
    for service in COMPOSE["services"].values():
        command = service.get("command", [])
        if command[:2] == ["sh", "-ec"]:
            yield from (shlex.split(line)[1:] for line in command[2].splitlines())
        elif command:
            yield command[1:]
    [line] = re.findall(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    yield yaml.safe_load(line)[1:]


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_it_has_the_command_with_its_options(command):
    program, *arguments = command
    assert program == "manage.py"
    name, *options = arguments
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(options)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_has_valid_units(unit, tmp_path):
    assert dict(keys(unit))["EnvironmentFile"] == "/etc/provisioning/provisioning.env"
    assert (dict(keys(unit))["StateDirectoryMode"], dict(keys(unit))["UMask"]) == ("0700", "0077")
    if shutil.which("systemd-analyze"):
        for each in UNITS:  # on this machine the code is elsewhere
            text = each.read_text().replace(PYTHON, sys.executable).replace("/opt/provisioning", str(ROOT))
            (tmp_path / each.name).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert unit.stem not in done.stderr, done.stderr


def test_it_has_a_sound_compose_file():
    services = COMPOSE["services"]
    assert list(services) == ["postgres", "migrate", "web", "worker"]
    for name in ("migrate", "web", "worker"):
        service = services[name]
        assert service["init"] is True
        assert service["image"] == f"provisioning:{__version__}"
        assert set(service["environment"]) <= set(re.findall(r"^\| `([A-Z_]+)`", CONFIGURATION, re.MULTILINE))
        assert set(service["depends_on"]) <= set(services)
    assert (services["worker"]["stop_signal"], services["worker"]["stop_grace_period"]) == ("SIGTERM", "30s")
    used = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert (DEPLOY / COMPOSE["x-service"]["build"]["context"]).resolve() == ROOT


def test_it_copies_what_is_there():
    copied = re.findall(r"^COPY (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_it_has_an_example_of_known_settings():
    given = re.findall(r"^([A-Z_]+)=", (DEPLOY / "provisioning.env.example").read_text(), re.MULTILINE)
    assert set(given) <= set(re.findall(r"^\| `([A-Z_]+)`", CONFIGURATION, re.MULTILINE))
