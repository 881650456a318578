"""A PostgreSQL server of the test's own, which may be restarted: the machine's must not."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def unprivileged():
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid():
        return None
    return next(name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()})


class PrivateServer:
    """Started in a directory of its own on a free port of 127.0.0.1."""

    def __init__(self):
        self.user = unprivileged()
        self.directory = Path(tempfile.mkdtemp(prefix="provisioning-postgresql-"))
        self.directory.chmod(0o700)
        if self.user:
            shutil.chown(self.directory, self.user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program, *arguments):
        command = [str(BINARIES[-1].with_name(program)), "-D", str(self.directory / "data"), *arguments]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, user=self.user, cwd=self.directory, check=True, timeout=60, **quiet)

    def start(self):
        self.run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.directory}"
        self.run("pg_ctl", "start", "-w", "-l", str(self.directory / "log"), "-o", options)

    def restart(self):
        """Cut every connection off, as a crash of the server does; committed work stays."""
        self.run("pg_ctl", "restart", "-w", "-m", "immediate", "-l", str(self.directory / "log"))

    def stop(self):
        self.run("pg_ctl", "stop", "-w", "-m", "immediate")


@contextmanager
def private_server():
    if not BINARIES:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("no /usr/lib/postgresql/*/bin/initdb: no server of the test's own can be made")
    server = PrivateServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.directory)
