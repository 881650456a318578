"""Prepare the database, then run web server and worker together, as `make run` does; Ctrl-C stops both."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, OperationalError, connections
from django.urls import get_resolver

from apps.system.forked_process import SIGNALS, ForkedProcess, import_shared
from apps.system.orphan_reaper import OrphanReaper
from apps.system.schema_version import mismatch
from apps.system.supervision import Child, Hopeless
from apps.system.web.server import port_fault, serve

PATIENCE = 60
CATALOG_SECONDS = 2.0
STOP_SECONDS = 10
LOOK_SECONDS = 0.5


class Command(BaseCommand):
    help = "Serve the API, the admin and the emulated cloud, with a worker beside them, for development."

    def handle(self, *args: Any, **options: Any) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # lines appear at once in files and pipes, too
        for number in SIGNALS:  # a shell may start us with SIGINT ignored
            signal.signal(number, interrupt)
        with folder_lock(settings.VAR_DIR, settings.PORT):
            if fault := port_fault("127.0.0.1", settings.PORT, command="make run"):
                raise CommandError(fault)
            self.serve()

    def serve(self) -> None:
        """Prepare the database, keep web server and worker alive until told to stop, then stop them."""
        children: list[Child] = []
        try:
            self.prepare()
            self.stdout.write(f"starting on port {settings.PORT} …")
            web = partial(serve, host="127.0.0.1", port=settings.PORT)
            children += [self.child("web server", web), self.child("worker", preloaded("worker"))]
            keep_alive(children, OrphanReaper(grace=STOP_SECONDS), self.announce)
        except KeyboardInterrupt:
            self.stdout.write("\nstopping …")
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            stop(children)
        self.stdout.write("stopped")

    def child(self, name: str, run: Callable[[], object]) -> Child:
        """Return a child to be kept alive, which shares the memory of what this process has imported."""
        return Child(name, partial(ForkedProcess, run, name=name), self.stdout.write)

    def prepare(self) -> None:
        """Prepare the database in a process of its own, whose memory nobody inherits. Raises SystemExit if it fails."""
        self.stdout.write("preparing the database …")
        process = ForkedProcess(self.migrate_and_seed, name="prepare")
        try:
            code = process.wait()
        finally:
            process.terminate()
        if code:
            sys.exit(code)

    def migrate_and_seed(self) -> None:
        """Bring the database up to date, and put the users and the workspace there to try the service with."""
        try:
            call_command("migrate", verbosity=0)
        except OperationalError as error:
            sys.exit(f"CommandError: The database cannot be used: {error}")
        if fault := mismatch():
            sys.exit(f"CommandError: {fault}")
        call_command("seed_users", stdout=self.stdout)
        call_command("seed_demo", stdout=self.stdout)

    def announce(self) -> None:
        """Wait until the service answers and say where it is; an account that cannot be reached delays that little.

        To be run in a process of its own: with a second thread in this one, nothing could be forked from it.
        """
        wait_for(f"http://127.0.0.1:{settings.PORT}/health", say=self.stdout.write)
        reading = threading.Thread(target=self.refresh_catalog, name="catalog", daemon=True)
        reading.start()
        reading.join(CATALOG_SECONDS)
        self.print_addresses()
        reading.join()

    def refresh_catalog(self) -> None:
        """Let the worker read all accounts' plans, and say which could not be read; each may take a minute."""
        try:
            call_command("refresh_catalog", wait=PATIENCE, allow_missing_engine=True, stdout=self.stdout)
        except (CommandError, Error) as error:
            self.stdout.write(str(error))
        connections.close_all()

    def print_addresses(self) -> None:
        """Say where everything is, who may log in, and how to stop it."""
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


def preloaded(command: str) -> Callable[[], object]:
    """Import a command and what the forked processes need, so that they share it; returns the call."""
    _ = get_resolver().reverse_dict  # imports all pages
    import_shared()
    return partial(call_command, load_command_class(get_commands()[command], command))


def interrupt(number: int, frame: Any) -> None:
    """Treat other requests to stop like Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def folder_lock(folder: Path, port: int) -> Iterator[None]:
    """Hold the folder's lock: its data has one service at a time. Raises CommandError while another one holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "dev.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise CommandError(
                f"This folder is already served by {holder}: its data in {folder} belongs to one service at a time. "
                f"Use that one, stop it, or give this one a folder of its own: "
                f"VAR_DIR=/tmp/provisioning-{port + 1} PORT={port + 1} make run"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on port {port}\n")
        file.flush()
        yield


def wait_for(url: str, *, say: Callable[[str], object]) -> None:
    """Wait until the URL answers, for as long as it takes; says each minute that it does not."""
    began = reported = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.1)
        else:
            return
        if time.monotonic() - reported > PATIENCE:
            reported = time.monotonic()
            say(f"{url} has not answered for {reported - began:.0f} s; still waiting")


def keep_alive(children: list[Child], reaper: OrphanReaper, announce: Callable[[], object]) -> None:
    """Start the children, and again whenever one dies; never returns. Raises CommandError for one that is hopeless.

    Once `announce`, which runs beside them, has ended well, all have worked.
    """
    announcer: ForkedProcess | None = None
    try:
        while True:
            reaper.ensure()
            for child in children:
                child.keep_alive()
            announcer = announcer or ForkedProcess(announce, name="announcer")
            if announcer.poll() == 0:
                for child in children:
                    child.has_worked = True
            time.sleep(LOOK_SECONDS)
    except Hopeless as error:
        raise CommandError(str(error)) from error
    finally:
        if announcer:
            announcer.terminate()
            announcer.wait(STOP_SECONDS)


def stop(children: list[Child]) -> None:
    """Ask all children to end, worker first, and end what is left of them after ten seconds."""
    for child in reversed(children):
        child.terminate()
    give_up = time.monotonic() + STOP_SECONDS
    for child in children:
        child.wait(give_up)
