"""Prepare the database, then run web server and worker together, as `make run` does; Ctrl-C stops both."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

PATIENCE = 60
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1


class Command(BaseCommand):
    help = "Serve the API, the admin and the emulated cloud, with a worker beside them, for development."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_if_taken(settings.PORT)
        sys.stdout.reconfigure(line_buffering=True)  # what is said shows at once in files and pipes, too
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell may start us with SIGINT ignored
            signal.signal(number, interrupt)
        children: dict[str, subprocess.Popen] = {}
        try:
            self.prepare()
            self.stdout.write(f"starting on port {settings.PORT} …")
            children["web server"] = start("granian", *web_arguments())
            children["worker"] = start(sys.argv[0], "worker")
            self.announce(children)
            watch(children)
        except KeyboardInterrupt:
            self.stdout.write("\nstopping …")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            stop(children)
        self.stdout.write("stopped")

    def prepare(self) -> None:
        """Bring the database up to date, and put the users and the workspace there to try the service with."""
        self.stdout.write("preparing the database …")
        try:
            call_command("migrate", verbosity=0)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}") from error
        call_command("seed_users", stdout=self.stdout)
        call_command("seed_demo", stdout=self.stdout)
        connections.close_all()

    def announce(self, children: dict[str, subprocess.Popen]) -> None:
        """Wait until it all works, then say where it is."""
        wait_for(f"http://127.0.0.1:{settings.PORT}/health", children)
        try:
            call_command("refresh_catalogue", wait=PATIENCE, stdout=self.stdout)
        except CommandError as error:
            self.stdout.write(str(error))
        database = settings.DATABASES["default"]
        data = settings.VAR_DIR if "sqlite3" in database["ENGINE"] else f"database {database['NAME']}"
        root = f"http://localhost:{settings.PORT}"
        self.stdout.write(
            f"""
  API        {root}/v1/            log in: POST {root}/v1/auth/login
  API docs   {root}/v1/docs
  Admin      {root}/admin/         admin / admin123
  Users      admin/admin123   operator/operator123   developer/developer123   viewer/viewer123
  Cloud      {root}/emulator/      an emulated UpCloud, where nothing costs money

  Ctrl-C stops everything; the data stays in {data}.
"""
        )


def web_arguments() -> list[str]:
    """Return the web server's command line."""
    module, _, name = settings.WSGI_APPLICATION.rpartition(".")
    return [
        *("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(settings.PORT)),
        *("--workers", "2", "--blocking-threads", "16", "--no-ws", "--log-level", "error"),
        f"{module}:{name}",
    ]


def start(program: str, *arguments: str) -> subprocess.Popen:
    """Start a child in a session of its own, so that Ctrl-C reaches only us and the children end in order."""
    module = ["-m", program] if program == "granian" else [program]
    command = [sys.executable, *module, *arguments]
    return subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent)  # noqa: S603, PLW1509


def end_with_parent() -> None:
    """Let a child be told to stop when we are killed and cannot tell it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def interrupt(number: int, frame: Any) -> None:
    """Treat other requests to stop like Ctrl-C."""
    raise KeyboardInterrupt


def refuse_if_taken(port: int) -> None:
    """Say so when another program serves on the port. Raises CommandError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(f"Port {port} is in use; choose another: PORT={port + 1} make run") from error


def wait_for(url: str, children: dict[str, subprocess.Popen]) -> None:
    """Wait until the URL answers. Raises CommandError when a child ends first or time runs out."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        refuse_if_ended(children)
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise CommandError(f"{url} did not answer within {PATIENCE} s.")


def watch(children: dict[str, subprocess.Popen]) -> None:
    """Return never, unless a child ends. Raises CommandError then."""
    while True:
        refuse_if_ended(children)
        time.sleep(0.5)


def refuse_if_ended(children: dict[str, subprocess.Popen]) -> None:
    """Say which child has ended. Raises CommandError."""
    for name, child in children.items():
        if child.poll() is not None:
            raise CommandError(f"The {name} ended with code {child.returncode}; its messages are above.")


def stop(children: dict[str, subprocess.Popen]) -> None:
    """Ask all children to end, worker first, and end what is left of them after ten seconds."""
    for child in reversed(children.values()):
        child.terminate()
    give_up = time.monotonic() + STOP_SECONDS
    for child in children.values():
        try:
            child.wait(max(0.1, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
