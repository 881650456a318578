"""Real workers, `manage.py worker`, each in a session of its own, and the means to hurt them.

Only processes that were started here are signalled, each by its id.
"""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.operations.crash_limit import below_crash_limit
from tests.operations.processes import children, descendants, group_of, is_alive, name_of
from tests.quiet_clock import QuietClock

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60


def eventually(true, seconds=PATIENCE, what=""):
    """Wait until the condition holds; gives what it gives."""
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up, f"not within {seconds} s: {what or true}"
        time.sleep(0.02)
    return found


class Node:
    """One worker process and the cluster below it."""

    def __init__(self, environment, log):
        self.workers_wanted = int(environment["WORKERS"])
        self.log = log
        with log.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.pid = self.process.pid
        self.seen = {self.pid}

    # ── who is who ────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def sentinel(self):
        return next((pid for pid in children(self.pid) if name_of(pid) != "ansible runner"), None)

    @property
    def ansible_runner(self):
        return next((pid for pid in children(self.pid) if name_of(pid) == "ansible runner"), None)

    @property
    def workers(self):
        """Those at the head of a group of their own, oldest first."""
        return [pid for pid in self.crew() if group_of(pid) == pid]

    @property
    def pusher(self):
        return next((pid for pid in self.crew() if group_of(pid) != pid), None)

    def crew(self):
        found = children(self.sentinel) if self.sentinel else []
        self.seen |= {self.sentinel or self.pid, *found}
        return found

    @property
    def is_complete(self):
        return len(self.workers) == self.workers_wanted and self.pusher is not None

    def settled(self):
        """Wait until all its processes are there."""
        eventually(lambda: self.is_complete or self.process.poll() is not None, what="a complete cluster")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def everything(self):
        """The ids of all its living processes, itself included."""
        living = [pid for pid in (self.pid, *descendants(self.pid)) if is_alive(pid)]
        self.seen.update(living)
        return living

    # ── hurting ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def kill(self, pid, number=signal.SIGKILL):
        """Signal one of its processes."""
        assert pid in self.everything(), f"{pid} is none of ours"
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def kill_any_worker(self):
        if self.process.poll() is None and (workers := self.workers):
            self.kill(random.choice(workers))

    def crash(self):
        """Kill everything at once, as a power cut does."""
        for pid in self.everything():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def freeze(self):
        for pid in self.everything():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.everything():
            os.kill(pid, signal.SIGCONT)

    def stop(self, *, group=False, seconds=PATIENCE):
        """End it by SIGTERM, to its process only or to its group; gives how long that takes on a quiet machine."""
        with QuietClock() as clock:
            os.killpg(self.pid, signal.SIGTERM) if group else self.process.terminate()
            self.process.wait(seconds)
        return clock.seconds

    def leavings(self):
        """The ids of processes that were seen below it and live on."""
        return [pid for pid in self.seen if is_alive(pid)]

    def clear(self):
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.crash()
        eventually(lambda: not self.leavings(), what=f"the end of {self.leavings()}")


class Fleet:
    """The workers of one database, and one ledger for them all."""

    def __init__(self, environment, directory):
        self.ledger = directory / "ledger"
        self.log = directory / "workers.log"
        defaults = {"LEASE_SECONDS": "3", "WORKERS": "2", "ENVIRONMENT": "development", "LOG_LEVEL": "WARNING"}
        own = {"DJANGO_SETTINGS_MODULE": "tests.operations.settings", "VAR_DIR": str(directory)}
        own |= {"LEDGER": str(self.ledger), "PYTHONPATH": str(ROOT)}
        self.environment = os.environ | defaults | own | environment
        self.nodes = []

    def start(self, count=1, **environment):
        """Start nodes and wait for all their processes; gives the node, or a list of several."""
        made = [self.begin(**environment) for _ in range(count)]
        for node in made:
            node.settled()
        return made[0] if count == 1 else made

    def everything(self):
        """The ids of all living processes of all nodes."""
        return [pid for node in self.nodes for pid in node.everything()]

    def kill_any_worker(self):
        """Kill a worker at random, at a moment when no operation is ended by the loss."""
        with below_crash_limit(self.everything):
            random.choice(self.nodes).kill_any_worker()

    def crash_oldest(self):
        """Kill all processes of the oldest node, at a moment when no operation is ended by the loss; start another."""
        with below_crash_limit(self.everything):
            self.nodes.pop(0).crash()
        self.begin()

    def begin(self, **environment):
        """Start a node, and do not wait."""
        self.nodes.append(Node(self.environment | environment, self.log))
        return self.nodes[-1]

    def clear(self):
        for node in self.nodes:
            node.clear()
