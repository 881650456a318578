"""`manage.py dev` as a process of its own, as `make run` starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Development:
    """A running `manage.py dev`, and what it has printed."""

    def __init__(self, folder, **environment):
        self.port = free_port()
        self.printed = folder / "dev.log"
        given = {"ENVIRONMENT": "development", "PORT": str(self.port), "VAR_DIR": str(folder)}
        given |= {"EMULATOR_MACHINES": "none", "DATABASE_URL": f"sqlite:///{folder}/provisioning.sqlite3"}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = kept | given | environment
        with self.printed.open("w") as file:
            self.process = self.start(stdout=file, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def start(self, environment=None, **options):
        command = [sys.executable, "manage.py", "dev"]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment | (environment or {}), **options)

    def run_another(self, **environment):
        """Run a second one with this one's environment until it ends; gives its exit code and what it printed."""
        another = self.start(environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = another.communicate(timeout=PATIENCE)
        return another.returncode, output

    def output(self):
        return self.printed.read_text()

    def wait_for(self, text, *, times=1):
        give_up = time.monotonic() + PATIENCE
        while self.output().count(text) < times:
            assert self.process.poll() is None and time.monotonic() < give_up, f"no {text!r} in: {self.output()}"
            time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def development(folder, **environment):
    """Run `manage.py dev` until it serves, and stop it afterwards."""
    running = Development(folder, **environment)
    try:
        running.wait_for("Ctrl-C stops")
        yield running
    finally:
        running.stop()
