"""Children forked from the development service: how they end, what they keep of their parent, and what they share."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from apps.system.forked_process import ForkedProcess
from tests.operations.fleet import eventually
from tests.operations.processes import stat

# A program without threads, as forks need it: prints what the child's end was.
PARENT = """
import os, sys, time
import django
django.setup()
from apps.system.forked_process import ForkedProcess
{line}
child = ForkedProcess(run, name="a child")
print(child.wait(20), flush=True)
"""


def parent(line):
    """Run the program with the line that defines `run`; gives what it and its child have printed."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT.format(line=line)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "provisioning.settings", "ENVIRONMENT": "development"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("run = lambda: None", "0"),
        ("run = lambda: sys.exit(7)", "7"),
        ("run = lambda: sys.exit('no way')", "1"),
        ("run = lambda: 1 / 0", "1"),
        ("run = lambda: os.kill(os.getpid(), 9)", "-9"),
    ],
)
def test_it_reports_how_the_child_ended(line, code):
    output, errors = parent(line)
    assert output == [code]
    assert ("no way" in errors) == ("no way" in line) and ("ZeroDivisionError" in errors) == ("1 / 0" in line)


def test_it_leads_a_session_and_holds_no_lock_of_its_parent(tmp_path):
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        child = ForkedProcess(lambda: time.sleep(60), name="sleeper")
    try:
        with (tmp_path / "lock").open("w") as file:
            eventually(lambda: can_lock(file), 10, "the lock that only the child could still hold")
        assert stat(child.pid)[2:4] == [str(child.pid)] * 2
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.1)
    finally:
        child.terminate()
    assert child.wait(10) == child.returncode == -signal.SIGTERM


def can_lock(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
