"""The README: its walk, run as it stands against the service as `make run` starts it; its tables; docs/decisions."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tests.operations.processes import descendants, is_alive

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "── end of block ──"
PATIENCE = 60
VARYING = {
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "id": r"(?<=srv-|tsk-)[a-z0-9]{20}",
    "time": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z",
    "address": r"127\.77\.\d+\.\d+",
}


def same(text):
    """Leave out what differs from run to run, and how lines are broken."""
    text = re.sub(r"\s+", "", text)
    for name, pattern in VARYING.items():
        text = re.sub(pattern, name, text)
    return text


@contextmanager
def database(folder):
    """Give the URL of an empty database of the kind that the suite runs on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{folder}/readme.sqlite3"
        return
    at = settings.DATABASES["default"]
    facts = {"host": at["HOST"], "port": at["PORT"] or None, "user": at["USER"], "password": at["PASSWORD"] or None}
    name = f"provisioning_readme_{os.getpid()}"
    with psycopg.connect(dbname="postgres", autocommit=True, **facts) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + name
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def served(tmp_path):
    """Run what `make run` runs, on a free port; gives port, process and what it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = tmp_path / "said"
    with database(tmp_path) as url, said.open("w") as file:
        given = {"ENVIRONMENT": "development", "PORT": str(port), "VAR_DIR": str(tmp_path), "DATABASE_URL": url}
        given |= {"EMULATOR_MACHINES": "none"}
        process = subprocess.Popen(
            [sys.executable, "manage.py", "dev"],
            cwd=ROOT,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | given,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for("Ctrl-C stops", said, process)
            yield port, process, said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


def wait_for(text, said, process):
    give_up = time.monotonic() + PATIENCE
    while text not in said.read_text():
        assert process.poll() is None and time.monotonic() < give_up, said.read_text()
        time.sleep(0.1)


def test_it_walks_as_the_readme_says_and_leaves_no_process_behind(served):
    port, process, said = served
    blocks = BLOCK.findall(README)
    assert len(blocks) > 8
    script = "".join(f"{commands}echo '{MARK}'\n" for commands, _ in blocks)
    script = script.replace("http://localhost:8083", f"http://localhost:{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + said.read_text()
    for (commands, answers), printed in zip(blocks, done.stdout.split(MARK), strict=False):
        parts = [re.escape(part) for part in same(answers).split("…")]
        assert re.fullmatch(".*".join(parts), same(printed)), f"{commands}\nanswers\n{printed}\nand not\n{answers}"
    assert "Traceback" not in said.read_text()

    family = descendants(process.pid)
    assert len(family) > 5
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert said.read_text().endswith("stopped\n")
    assert [pid for pid in family if is_alive(pid)] == []


def test_it_lists_every_setting():
    text = (ROOT / "provisioning" / "settings.py").read_text()
    read = set(re.findall(r'\benv\.\w+\("([A-Z_]+)"', text)) | {"PROMETHEUS_MULTIPROC_DIR"}
    listed = re.findall(r"^\| `([A-Z_]+)` \|", README.partition("## Settings")[2].partition("\n## ")[0], re.MULTILINE)
    assert sorted(listed) == sorted(read)


def test_it_leads_to_files_that_are_there():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    folders = re.findall(r"^\| (`[a-z/]+/`(?:, `[a-z/]+/`)*)", README, re.MULTILINE)
    named = links + [path for cell in folders for path in re.findall(r"`([^`]+)`", cell)]
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


# ── docs/decisions ────────────────────────────────────────────────────────────────────────────────────────────────────
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_it_numbers_decisions_once():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [path.read_text().partition(". ")[0] for path in DECISIONS] == [f"# {number}" for number in numbers]


def test_it_says_why_each_setting_of_django_q2_is_as_it_is():
    text = next(path for path in DECISIONS if path.name.startswith("0003")).read_text()
    assert [key for key in settings.Q_CLUSTER if f"`{key}`" not in text] == []
