"""Commands that take long, as processes: a bar on a terminal, plain lines elsewhere, a clean end at Ctrl-C."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest

from tests.operations.databases import SQLite
from tests.providers.empty_engine import serving_empty_engine
from tests.system.service import ROOT

PATIENCE = 60


@pytest.fixture
def environment(tmp_path):
    """A database with an account that no worker looks after."""
    with SQLite(tmp_path).fresh() as url:
        given = {"DATABASE_URL": url, "VAR_DIR": str(tmp_path), "ENVIRONMENT": "development"}
        given |= {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "PORT": "9"}
        environment = os.environ | given
        seed = [sys.executable, "manage.py", "seed_demo"]
        subprocess.run(seed, cwd=ROOT, env=environment, check=True, timeout=PATIENCE)
        yield environment


def started(environment, *command, output):
    return subprocess.Popen(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, stdout=output, stderr=output
    )


def on_terminal(environment, *command, until):
    """Run on a terminal until it shows a text, then press Ctrl-C; gives all it showed and its exit code."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 80))
    with started(environment, *command, output=its) as process:
        os.close(its)
        shown, give_up, pressed = "", time.monotonic() + PATIENCE, False
        with suppress(OSError):  # the terminal is closed when the program has ended
            while time.monotonic() < give_up and (more := os.read(ours, 1000).decode()):
                shown += more
                if until in shown and not pressed:
                    process.send_signal(signal.SIGINT)
                    pressed = True
        os.close(ours)
        return shown, process.wait(PATIENCE)


def queued(environment):
    with sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///")) as database:
        return database.execute("SELECT count(*) FROM operations_operation WHERE status = 'pending'").fetchone()[0]


def test_it_shows_a_bar_on_a_terminal_and_ends_cleanly_at_ctrl_c(environment):
    shown, code = on_terminal(environment, "refresh_catalog", until="0/1")
    assert "reading" in shown and "accounts" in shown
    assert code == 130, shown
    assert [line for line in shown.splitlines() if "interrupted." in line and "run it again" in line]
    assert "Traceback" not in shown
    assert queued(environment) == 1, "what was asked of the worker stays asked"


def test_it_prints_plain_lines_elsewhere(environment, tmp_path):
    output = tmp_path / "output"
    with output.open("w") as file, started(environment, "refresh_catalog", "--wait", "0.5", output=file) as process:
        assert process.wait(PATIENCE) == 1
    text = output.read_text()
    assert "\r" not in text and "\x1b" not in text
    assert "catalog of upcloud/default: pending: no worker has taken it" in text


def test_it_ends_the_program_that_makes_the_image_and_leaves_nothing(environment, tmp_path):
    """Here the engine answers and mmdebstrap takes long: both are stand-ins, for a real image takes minutes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    trace = tmp_path / "trace"
    script = (
        f'#!/bin/sh\ntrap "echo removed >>{trace}; exit 1" INT\necho began >>{trace}\nwhile :; do sleep 0.1; done\n'
    )
    (programs / "mmdebstrap").write_text(script)
    (programs / "mmdebstrap").chmod(0o755)
    with serving_empty_engine() as address:
        given = environment | {"PATH": f"{programs}:{environment['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
        (tmp_path / "tmp").mkdir()
        output = tmp_path / "output"
        with output.open("w") as file, started(given, "build_local_image", "--engine", address, output=file) as process:
            give_up = time.monotonic() + PATIENCE
            while not trace.exists() or "began" not in trace.read_text():
                assert process.poll() is None and time.monotonic() < give_up, output.read_text()
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
    lines = output.read_text().splitlines()
    assert lines[0].startswith("1/2 collecting Debian 12")
    assert lines[1:] == ["interrupted. The engine's images are as they were."]
    assert trace.read_text().split() == ["began", "removed"]
    assert list((tmp_path / "tmp").iterdir()) == []
