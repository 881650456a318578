"""Holding processes still, for the tests that kill them."""

import os
import signal
import subprocess
import sys

from tests.operations.crash_limit import held, is_still
from tests.operations.fleet import eventually
from tests.operations.processes import children, stat

# The child stops itself before its exec; until then its parent waits in the kernel, where no signal stops it.
IN_VFORK = "import ctypes, os, signal; ctypes.CDLL(None).vfork() or os.kill(os.getpid(), signal.SIGSTOP)"


def test_a_process_in_vfork_is_still_while_its_child_is():
    parent = subprocess.Popen([sys.executable, "-c", IN_VFORK])
    try:
        [child] = eventually(lambda: children(parent.pid), what="the child")
        eventually(lambda: stat(child)[0] == "T", what="its stop")
        assert stat(parent.pid)[0] == "D" and is_still(parent.pid)
    finally:
        for pid in (child, parent.pid):
            os.kill(pid, signal.SIGKILL)
        parent.wait()


def test_a_process_that_is_held_does_not_go_on_until_afterwards(tmp_path):
    count = "n=0; while echo $((n=n+1)) >>said; do sleep 0.01; done"
    counting = subprocess.Popen(["/bin/sh", "-c", count], cwd=tmp_path, start_new_session=True)
    said = tmp_path / "said"
    try:
        eventually(said.exists, what="a first line")
        with held(lambda: [counting.pid, *children(counting.pid)]):
            assert is_still(counting.pid)
            before = said.read_text()
            os.sched_yield()
            assert said.read_text() == before
        eventually(lambda: said.read_text() != before, what="another line")
    finally:
        os.killpg(counting.pid, signal.SIGKILL)
        counting.wait()
