"""The processes of a run on this machine: start `ansible-playbook`, read its events, and leave none of them behind."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.operations.worker.child_processes import children
from apps.taskservs.ansible.playbook import write_private
from apps.taskservs.catalog_loader import ROOT

PLUGINS = Path(__file__).parent / "plugins"
MARK, MODULES = "PROVISIONING_RUN", "PROVISIONING_MODULES"
NICE = 5  # on a busy machine, the service itself goes first
STOP_SECONDS, MODULE_HOST_SECONDS, KILL_SECONDS, NOBODYS_SECONDS = 1.0, 3.0, 3.0, 5.0
END_OF_REQUESTS = bytes(4)  # for a module host: a request of no length
LONGEST_LINE, LONGEST_OUTPUT = 2**20, 20_000
# How often it looks whether a task is done; its own millisecond costs 2 % of a processor while it waits.
CONFIGURATION = "[defaults]\ninternal_poll_interval = 0.01\n"
KEPT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
PROC = Path("/proc")


def environment(folder: Path, mark: str, forks: int) -> dict[str, str]:
    """Return all that `ansible-playbook` gets to know of this process, and its configuration."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {
        MARK: mark,
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_STDOUT_CALLBACK": "run_events",
        "ANSIBLE_ROLES_PATH": str(ROOT),  # the roles that all may import
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
        "ANSIBLE_SSH_ARGS": f"-F {folder / 'ssh_config'}",
        "ANSIBLE_SSH_RETRIES": "2",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_TIMEOUT": "15",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }


def playbook_program() -> str:
    """Return the path of `ansible-playbook`, the one beside Python if it is there."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    return str(beside) if beside.exists() else "ansible-playbook"


class Playbook:
    """One running `ansible-playbook`, in a session of its own, marked by its environment."""

    def __init__(self, folder: Path, mark: str, *, hosts: int, check_mode: bool, modules: Path | None):
        """Start it. `modules` keeps what Ansible puts together of its modules for later runs, None keeps nothing."""
        self.folder, self.mark = folder, mark
        write_private(folder / "ansible.cfg", CONFIGURATION)
        command = [playbook_program(), "-i", str(folder / "inventory.yml"), str(folder / "playbook.yml")]
        command += ["--check"] * check_mode + ["--diff"] * check_mode
        forks = max(1, min(hosts, settings.ANSIBLE_FORKS))
        with (folder / "stderr").open("xb") as errors:
            self.process = subprocess.Popen(  # noqa: S603 - no shell
                command,
                cwd=folder,
                env=environment(folder, mark, forks) | ({MODULES: str(modules)} if modules else {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, NICE)
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        self.output = self.process.stdout.fileno()
        fcntl.fcntl(self.output, fcntl.F_SETFL, os.O_NONBLOCK)
        self.buffer = b""

    def events(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the events that come within so many seconds; returns as soon as some have come."""
        if not select.select([self.output], [], [], seconds)[0]:
            return
        chunk = b""
        with suppress(BlockingIOError):
            chunk = os.read(self.output, 2**16)
        if not chunk:
            time.sleep(min(seconds, 0.05))  # its end of the pipe is closed: it is about to end
        self.buffer += chunk
        *lines, self.buffer = self.buffer[-LONGEST_LINE:].split(b"\n")
        yield from filter(None, map(parsed, lines))

    def remaining_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events that are left to be read once it has ended."""
        while select.select([self.output], [], [], 0)[0]:
            before = len(self.buffer)
            found = list(self.events(0))
            if not found and len(self.buffer) == before:
                return
            yield from found

    def has_ended(self) -> bool:
        """Tell whether its main process has ended."""
        return self.process.poll() is not None

    def complaint(self) -> str:
        """Return the first error that it printed itself, such as of a role that cannot be read; one line, or nothing.

        The lines after it quote the playbook.
        """
        text = (self.folder / "stderr").read_bytes()[:LONGEST_OUTPUT].decode(errors="replace")
        for line in text.splitlines():
            if line.startswith(("[ERROR]", "ERROR!")):
                return line.partition("]: " if line.startswith("[") else "! ")[2].strip()
        return ""

    def end(self) -> None:
        """End it and every process that it has started: asked to at first, then by force."""
        if not self.has_ended():
            with suppress(ProcessLookupError):
                self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        else:
            end_module_hosts(self.folder, seconds=MODULE_HOST_SECONDS)
        kill_marked(self.mark)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def end_module_hosts(folder: Path, *, seconds: float) -> None:
    """End the module hosts that a run has on its servers (plugins/connection), and wait until their sessions are over.

    One that has not ended after so many seconds is left to those who kill the run's processes.
    """
    for path in folder.glob("host-*.requests"):
        with suppress(OSError):  # nobody reads it any more
            requests = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(requests, END_OF_REQUESTS)
            os.close(requests)
    give_up = time.monotonic() + seconds
    for path in folder.glob("host-*.answers"):
        answers = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        while (left := give_up - time.monotonic()) > 0:
            if select.select([answers], [], [], left)[0] and not os.read(answers, 2**16):
                break  # nobody holds the other end
        os.close(answers)


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return an event, None for a line that is none, such as something that a plugin printed."""
    with suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and "event" in event:
            return event
    return None


def marked(mark: str) -> set[int]:
    """Return the ids of this machine's processes that carry a run's mark in their environment."""
    expected, found = f"{MARK}={mark}".encode(), set()
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if expected in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found


def kill_marked(mark: str) -> None:
    """Kill all processes of a run on this machine, until none is left."""
    give_up = time.monotonic() + KILL_SECONDS
    while (left := marked(mark)) and time.monotonic() < give_up:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


class Reaper:
    """Takes away children that have ended and that nobody waits for, as a run's processes leave them to this one.

    A child that a thread waits for is taken by it at once: one that is still there seconds later is nobody's.
    """

    def __init__(self) -> None:
        self.since: dict[int, float] = {}

    def look(self, *, but: Collection[int]) -> None:
        """Take away those that have been dead for some time."""
        now = time.monotonic()
        dead = {pid for pid in children().difference(but) if has_died(pid)}
        self.since = {pid: self.since.get(pid, now) for pid in dead}
        for pid, since in self.since.items():
            if now - since > NOBODYS_SECONDS:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def has_died(pid: int) -> bool:
    """Tell whether a process has ended and nobody has waited for it yet."""
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
