"""`make run` and `make test`: what they install and start; the interpreter here only records what it is asked."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
INTERPRETER = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in *"{broken}"*) exit 1;; esac
case "$*" in "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python";; esac
"""


@pytest.fixture
def make(tmp_path):
    """Run make in a copy of the project's top folder; returns what the interpreter was asked."""
    for path in [ROOT / "Makefile", *REQUIREMENTS]:
        shutil.copy(path, tmp_path)
    log = tmp_path / "log"

    def run(*arguments, broken="no such command"):
        interpreter = tmp_path / "python"
        interpreter.write_text(INTERPRETER.format(log=log, broken=broken))
        interpreter.chmod(0o755)
        if (tmp_path / ".venv/bin").exists():
            shutil.copy(interpreter, tmp_path / ".venv/bin/python")
        log.write_text("")
        command = ["make", f"PYTHON={interpreter}", "VENV=.venv", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
        return log.read_text().splitlines()

    run.folder = tmp_path
    return run


def installs(asked):
    """Return which program installed which file."""
    found = [re.search(r"-m (uv|pip)\b.* install .*-r (\S+)", line) for line in asked]
    return [match.groups() for match in found if match]


def test_it_installs_only_what_running_needs_to_run(make):
    asked = make("run")
    assert installs(asked) == [("uv", "requirements-run.txt")]
    assert asked[-1] == "manage.py dev"
    assert installs(make("run")) == []


def test_it_installs_everything_to_test_and_hands_the_arguments_on(make):
    asked = make("test", "ARGS=-k cancel -x")
    assert installs(asked) == [("uv", "requirements.txt")]
    assert asked[-1].startswith("-m pytest --numprocesses auto ")
    assert asked[-1].endswith(" -k cancel -x")
    assert installs(make("run")) == installs(make("test")) == []


@pytest.mark.parametrize(("goal", "file"), [("run", "requirements-run.txt"), ("test", "requirements.txt")])
def test_it_installs_again_when_the_file_has_changed(goal, file, make):
    make("test")
    changed = make.folder / "requirements-run.txt"
    changed.write_text(changed.read_text() + "# changed\n")
    assert installs(make(goal)) == [("uv", file)]


@pytest.mark.parametrize("broken", ["install --quiet uv==", "-m uv pip install"], ids=["no uv", "uv fails"])
def test_it_installs_with_pip_where_uv_cannot(broken, make):
    asked = make("run", broken=broken)
    assert installs(asked)[-1] == ("pip", "requirements-run.txt")
    assert asked[-1] == "manage.py dev"


def test_it_tries_again_after_an_installation_that_failed(make):
    with pytest.raises(subprocess.CalledProcessError):
        make("run", broken="install")
    assert installs(make("run")) == [("uv", "requirements-run.txt")]


# ── the files ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def listed(path):
    """Return the names of the packages that a file lists itself."""
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


def with_dependencies(wanted):
    """Return the names of those packages and of all that they bring along."""
    found, waiting = set(), list(wanted)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in found:
            continue
        found.add((name, frozenset(requirement.extras)))
        for one in map(Requirement, requires(name) or ()):
            extras = [{"extra": extra} for extra in ("", *requirement.extras)]
            if one.marker is None or any(one.marker.evaluate(extra) for extra in extras):
                waiting.append(one)
    return {name for name, _ in found}


def imported(path):
    """Yield the names of the top modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_it_names_exact_versions(path):
    assert [str(one) for one in listed(path) if not re.fullmatch(r"==[\w.]+", str(one.specifier))] == []


def test_it_installs_what_the_service_imports_and_nothing_of_the_suite():
    installed = with_dependencies(listed(ROOT / "requirements-run.txt"))
    sources = [path for folder in ("apps", "provisioning") for path in (ROOT / folder).rglob("*.py")]
    modules = {name for path in sources for name in imported(path)} - sys.stdlib_module_names
    by_module = packages_distributions()
    modules -= {"apps", "provisioning"}
    lacking = {name for name in modules if not {canonicalize_name(one) for one in by_module[name]} & installed}
    assert lacking == set()
    suite = {canonicalize_name(one.name) for one in listed(ROOT / "requirements.txt")}
    assert suite & installed == set()


def test_it_makes_the_image_from_what_running_needs():
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert re.findall(r"requirements\S*\.txt", dockerfile) == ["requirements-run.txt"] * 2
