"""The orphan reaper: whatever was started below a root dies with the root, and nothing else does."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.operations.fleet import ROOT, eventually
from tests.operations.processes import is_alive, reapers_of, stat

# A root, given names of roots below it: starts its reaper, then a program that nothing but the mark could betray.
TREE = """
import os, subprocess, sys, time
from apps.system.orphan_reaper import OrphanReaper
name, *below = sys.argv[1:]
reaper = OrphanReaper()
reaper.start()
print(name, os.getpid(), flush=True)
if below:
    subprocess.Popen([sys.executable, "-c", os.environ["TREE"], *below])
HIDDEN = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0);"
hidden = HIDDEN + f"print('{name}-hidden', os.getpid(), flush=True); time.sleep(600)"
subprocess.run([sys.executable, "-S", "-c", hidden], env={}, start_new_session=True, close_fds=True)
time.sleep(600)
"""


@pytest.fixture
def tree():
    """Start a tree of roots, each below the one before; gives the ids of its processes by name."""
    started, roots = {}, []

    def start(*names):
        command = [sys.executable, "-c", TREE, *names]
        environment = os.environ | {"TREE": TREE, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        roots.append(process)
        for _ in range(2 * len(names)):
            name, pid = process.stdout.readline().split()
            started[name] = int(pid)
        return started

    yield start
    for pid in started.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in roots:
        process.wait(10)
        process.stdout.close()


def kill(*pids):
    """Kill processes, none of which can do anything in between."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)


def test_a_program_without_environment_session_and_parent_dies_with_the_root(tree):
    pids = tree("root")
    assert stat(pids["root-hidden"])[1] != str(pids["root"])
    kill(pids["root"])
    eventually(lambda: not is_alive(pids["root-hidden"]), 5, "the end of the program")


def test_an_inner_root_takes_its_own_tree_only(tree):
    pids = tree("outer", "inner")
    kill(pids["inner"])
    eventually(lambda: not is_alive(pids["inner-hidden"]), 5, "the end of the inner tree")
    time.sleep(0.5)
    assert is_alive(pids["outer"]) and is_alive(pids["outer-hidden"])


def test_an_outer_root_takes_all(tree):
    pids = tree("outer", "inner")
    kill(pids["outer"])
    rest = [pids["inner"], pids["inner-hidden"], pids["outer-hidden"]]
    eventually(lambda: not any(map(is_alive, rest)), 5, "the end of both trees")


def test_it_sleeps_until_the_root_ends(tree):
    [reaper] = reapers_of(tree("root")["root"])
    eventually(lambda: sleeps_for_a_second(reaper), 20, "a second without a look")


def sleeps_for_a_second(pid):
    before = wakeups(pid)
    time.sleep(1)
    return wakeups(pid) == before


def wakeups(pid):
    """How often the process has gone to sleep so far."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index("voluntary_ctxt_switches:") + 1])
