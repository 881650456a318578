"""Ansible connection plugin: SSH whose commands run in scopes of a systemd slice, so that they can be ended there.

Where a server has no systemd, the environment variable PROVISIONING_RUN still marks what the run has started. A
command is refused on a server that another run has taken. Runs inside `ansible-playbook`.

Ansible sends each module with all that it imports, to be compiled by each task. The server keeps that here, compiled,
so that a task sends its arguments and no more: 5 KB instead of 170, and half of the processor time there. Its module
host, one process of Python for a run, runs it: no task starts SSH, shell, scope and Python of its own. The host also
does what Ansible itself needs beside modules, such as a directory or a file for one.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import os
import re
import shlex
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.connection import ssh

DOCUMENTATION = ssh.DOCUMENTATION
TAKEN_OVER, REASON = 254, "this server was taken over by another run, or the run was stopped"
# $0 is the run, $1 the command. The file is written by the run that takes the server (host_control.py). With cgroups v1
# the kernel does not tell the systemd of a container that a scope is empty, which would be listed for good. A scope's
# description goes to the journal, by default the command with the variables in it.
SCRIPT = f"""\
holder=$(cat /run/provisioning.run 2>/dev/null)
if [ -n "$holder" ] && [ "$holder" != "$0" ]; then
    echo "{REASON}" >&2
    exit {TAKEN_OVER}
fi
[ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] || exec /bin/sh -c "$1"
read -r id </proc/sys/kernel/random/uuid
unit=provisioning-$id.scope
set -- systemd-run --quiet --scope --collect --unit="$unit" --slice=provisioning.slice --description="$unit" \\
    -- /bin/sh -c "$1"
[ -S /run/systemd/cgroups-agent ] || exec "$@"
"$@"
code=$?
while IFS=: read -r _ tree path && [ "$tree" != name=systemd ]; do :; done </proc/1/cgroup
/lib/systemd/systemd-cgroups-agent "${{path%/init.scope}}/provisioning.slice/$unit" >/dev/null 2>&1
exit "$code"
"""
# What Ansible pipes into Python: a program whose last argument is an archive of the module and what it imports.
WRAPPER, ARCHIVE, CALL = b"\n_ANSIBALLZ_WRAPPER = True\n", b"\nzip_data='", b'\nif __name__ == "__main__":\n'
REMOTE = Path(__file__).parent.parent / "remote"
MODULE_HOST = (REMOTE / "module_host.py").read_bytes()
READY, NOT_HOSTED = b"ready", 252  # as there
HOSTABLE = re.compile(r"/bin/sh -c '(/[\w./-]+) && sleep 0'")  # how Ansible runs a module without variables of its own
ARCHIVES = "/run/provisioning-modules"  # of modules that a server keeps
NO_ARCHIVE = bytes(32)  # the digest of a program that is not from one
LARGEST_HOSTED_FILE = 2**18  # bytes; a larger one goes by itself
# Added to that program; it ends with that code and that complaint where it is given an archive's digest in vain.
CACHE = (REMOTE / "module_cache.py").read_bytes()
NOT_CACHED, COMPLAINT = 253, b"provisioning: this module is not kept here"


class Connection(ssh.Connection):
    """SSH with each command in a scope of its own."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        """Run a command on the server, or what is piped into it; a module that is kept there is not sent again."""
        parts = module_parts(cmd, in_data)
        if parts is None:
            is_own = in_data is None and not sudoable  # Ansible's, not a role's
            return (is_own and self.hosted(shell_program(cmd))) or self.supervised(cmd, in_data, sudoable)
        before, archive, after = parts
        digest = digest_of(archive)
        name = digest.hex().encode()
        done = self.run_module(cmd, digest, b"%s\nzip_data=_cached_archive('%s')%s" % (before, name, after), sudoable)
        if done[0] == NOT_CACHED and COMPLAINT in done[2]:
            sent = b"%s\nzip_data=_cached_archive('%s', '%s')%s" % (before, name, archive, after)
            return self.run_module(cmd, digest, sent, sudoable)
        return done

    def run_module(self, cmd: str, digest: bytes, program: bytes, sudoable: bool) -> Any:
        """Run a module by the server's module host, or where there is none by a command of its own.

        So is once more what a lost connection has interrupted, as Ansible's own SSH does.
        """
        interpreter = HOSTABLE.fullmatch(cmd)
        answer = self.hosted(program, digest, interpreter[1]) if interpreter else None
        return answer or self.supervised(cmd, program, sudoable)

    def put_file(self, in_path: str, out_path: str) -> Any:
        """Copy a file to the server."""
        file = Path(in_path)
        if file.is_file() and file.stat().st_size <= LARGEST_HOSTED_FILE:
            answer = self.hosted(file_program(out_path, file.read_bytes()))
            if answer and answer[0] == 0:
                return answer
        return super().put_file(in_path, out_path)

    def hosted(
        self, program: bytes, digest: bytes = NO_ARCHIVE, interpreter: str | None = None
    ) -> tuple[int, bytes, bytes] | None:
        """Have the module host run a program; None where there is none, it is at work, or it did not answer.

        With an interpreter it is started where there is none. Raises AnsibleError when another run has the server.
        """
        if self.become:
            return None
        self.host = self.get_option("host") or self._play_context.remote_addr
        files = HostFiles(Path(os.environ["HOME"]), f"{self.host} {self.get_option('port')}")
        with files.free() as is_free:
            channel = Channel.to(files) if is_free else None
            if is_free and channel is None and interpreter:
                channel = self.start_module_host(files, interpreter)
            if channel is None:
                return None
            with closing(channel):
                answer = channel.ask(digest, program)
        return None if answer is None or answer[0] == NOT_HOSTED else refused_if_taken(answer)

    def start_module_host(self, files: HostFiles, interpreter: str) -> Channel | None:
        """Start the module host of a server, which lives as long as this machine's end of its session."""
        self._connect()
        reads_itself = f"import sys; exec(sys.stdin.buffer.read({len(MODULE_HOST)}))"
        command = [interpreter, "-c", reads_itself, os.environ["PROVISIONING_RUN"], ARCHIVES]
        there = command_line(shlex.join(command))
        here = self._build_command(self.get_option("ssh_executable"), "ssh", self.host, there)
        with files.made() as (requests, answers):
            nowhere = subprocess.DEVNULL
            subprocess.Popen(here, stdin=requests, stdout=answers, stderr=nowhere, start_new_session=True)  # noqa: S603
            channel = Channel.to(files)
        if channel is None or (channel.send(MODULE_HOST) and channel.read(len(READY)) == READY):
            return channel
        channel.close()
        return None

    def supervised(self, cmd: str, in_data: bytes | None, sudoable: bool) -> Any:
        """Run a command in a scope of its own. Raises AnsibleError when another run has taken the server."""
        return refused_if_taken(super().exec_command(command_line(cmd), in_data=in_data, sudoable=sudoable))


class HostFiles:
    """What this machine's processes of a run share of a server's module host: two named pipes, and a lock."""

    def __init__(self, folder: Path, server: str):
        base = folder / f"host-{hashlib.sha256(server.encode()).hexdigest()[:16]}"
        self.lock, self.busy = base.with_suffix(".lock"), base.with_suffix(".busy")
        self.requests, self.answers = base.with_suffix(".requests"), base.with_suffix(".answers")

    @contextmanager
    def free(self) -> Iterator[bool]:
        """Tell whether nobody else uses the module host, and keep others from it.

        One whose answer somebody has not read to its end, as its task was interrupted, is not used any more.
        """
        with self.lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            if self.busy.exists():
                yield False
                return
            self.busy.touch()
            yield True
            self.busy.unlink()

    @contextmanager
    def made(self) -> Iterator[tuple[int, int]]:
        """Make the pipes, open for both ends until the session has them."""
        paths = (self.requests, self.answers)
        for path in paths:
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        requests, answers = (os.open(path, os.O_RDWR) for path in paths)
        try:
            yield requests, answers
        finally:
            os.close(requests)
            os.close(answers)


class Channel:
    """The way to a module host and back."""

    def __init__(self, requests: int, answers: int):
        self.requests, self.answers = requests, answers
        for number in (requests, answers):
            os.set_blocking(number, True)

    @classmethod
    def to(cls, files: HostFiles) -> Channel | None:
        """Return the way to a module host that lives, None when there is none."""
        with suppress(OSError):
            requests = os.open(files.requests, os.O_WRONLY | os.O_NONBLOCK)  # an error where nobody reads
            return cls(requests, os.open(files.answers, os.O_RDONLY | os.O_NONBLOCK))
        return None

    def ask(self, digest: bytes, program: bytes) -> tuple[int, bytes, bytes] | None:
        """Return exit code and outputs of a program; None when the session ends before."""
        if not self.send(struct.pack(">I", len(program)) + digest + program) or len(head := self.read(12)) < 12:
            return None
        code, said, complained = struct.unpack(">III", head)
        output = self.read(said + complained)
        return (code, output[:said], output[said:]) if len(output) == said + complained else None

    def send(self, content: bytes) -> bool:
        """Send something; tells whether the session lives."""
        try:
            while content:
                content = content[os.write(self.requests, content) :]
        except OSError:
            return False
        return True

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer when the session ends before."""
        found = b""
        while len(found) < size and (more := os.read(self.answers, min(size - len(found), 2**20))):
            found += more
        return found

    def close(self) -> None:
        """Let go of this machine's ends."""
        os.close(self.requests)
        os.close(self.answers)


def command_line(cmd: str) -> str:
    """Return what runs a command in a scope of its own, unless another run has taken the server."""
    run = os.environ["PROVISIONING_RUN"]
    return shlex.join(["env", f"PROVISIONING_RUN={run}", "/bin/sh", "-c", SCRIPT, run, cmd])


def refused_if_taken(done: tuple[int, bytes, bytes]) -> tuple[int, bytes, bytes]:
    """Return what a command came to. Raises AnsibleError when another run has taken the server."""
    code, _, complained = done
    if code == TAKEN_OVER and complained.strip().endswith(REASON.encode()):
        raise AnsibleError(REASON)
    return done


def shell_program(command: str) -> bytes:
    """Return the program of a module host that becomes a shell, with the signals that a shell expects."""
    ready = "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
    return f"{ready}os.execv('/bin/sh', {['/bin/sh', '-c', command]!r})".encode()


def file_program(path: str, content: bytes) -> bytes:
    """Return the program of a module host that writes a file, for the owner's eyes only."""
    opened = f"open(os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'wb')"
    return f"import os\nwith {opened} as file:\n    file.write({content!r})".encode()


def module_parts(cmd: str, in_data: bytes | None) -> tuple[bytes, bytes, bytes] | None:
    """Return the program that is piped into Python as what is before its archive, the archive, and the rest.

    None for what is no module of Ansible's.
    """
    if not in_data or not cmd.startswith("/bin/sh -c ") or WRAPPER not in in_data[:500]:
        return None
    program, found, rest = in_data.rpartition(ARCHIVE)
    definitions, _, call = program.rpartition(CALL)
    archive, _, after = rest.partition(b"'")
    return (definitions + b"\n" + CACHE + CALL + call, archive, after) if found and definitions else None


def digest_of(archive: bytes) -> bytes:
    """Return what tells an archive in base64 from those with other files; the files' times do not count."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as files:
        facts = [(each.filename, each.CRC, each.file_size) for each in files.infolist()]
    return hashlib.sha256(repr(facts).encode()).digest()
