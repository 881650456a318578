"""Runs modules of Ansible on a server, each in a process forked from this one, which has imported what they import.

The connection plugin sends this program to a server and talks to it over one SSH session. A request is the length of a
module's program, the digest of the archive that it runs from, and the program; an answer is the exit code and the two
outputs after their lengths. Numbers have four bytes. It ends after a request of no length, or with the session. On the
server there is only the standard library.
"""

# ruff: noqa: F401 - the processes of modules find imported what they import
from __future__ import annotations

import atexit
import base64
import contextlib
import dataclasses
import datetime
import gc
import hashlib
import importlib
import inspect
import json
import locale
import os
import platform
import runpy
import selectors
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
import types
import typing
import zipfile
import zipimport
from pathlib import Path

READY = b"ready"
HOLDER = Path("/run/provisioning.run")  # names the run that has taken this server
TAKEN_OVER, REASON = 254, b"this server was taken over by another run, or the run was stopped"
NOT_HOSTED = 252  # the program was not begun: it is to be run some other way
FIRST_FILE, LAST_FILE = 3, 256  # the descriptors below are standard input, output and error
DIGEST_BYTES = 32
ROOT = "ansible"  # the package that all of them have
COMMON = (f"{ROOT}.module_utils._internal._ansiballz._loader", f"{ROOT}.module_utils.basic")

Answer = tuple[int, bytes, bytes]


def main(run: str, archives: str) -> None:
    """Answer requests until an empty one, or the end of the session; `archives` has those that are kept, by digest."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    began_with, common = interpreter(), CommonModules(Path(archives))
    answers.write(READY)
    answers.flush()
    while len(length := requests.read(4)) == 4 and any(length):
        digest = requests.read(DIGEST_BYTES).hex()
        program = requests.read(struct.unpack(">I", length)[0])
        if interpreter() != began_with:  # this process's library may be another by now
            answer = NOT_HOSTED, b"", b""
        elif holder() not in ("", run):
            answer = TAKEN_OVER, b"", REASON
        else:
            answer = run_program(program, common.archive_for(digest))
        code, said, complained = answer
        answers.write(struct.pack(">III", code, len(said), len(complained)) + said + complained)
        answers.flush()


def interpreter() -> tuple[int, int]:
    """Return what tells one installation of Python from another."""
    facts = Path(sys.executable).stat()
    return facts.st_ino, facts.st_mtime_ns


def holder() -> str:
    """Return the run that has taken this server, nothing if none has."""
    try:
        return HOLDER.read_text().strip()
    except OSError:
        return ""


class CommonModules:
    """What all modules of Ansible import, two thirds of a short task's time: imported here from the first archive."""

    def __init__(self, archives: Path):
        self.archives = archives
        self.checksums: dict[str, int] = {}  # of the files that were imported, by their names in the archive
        self.fitting: dict[str, bool] = {}  # archives by digest

    def archive_for(self, digest: str) -> Path | None:
        """Return the archive of that digest, None if it is not kept here or has other files than were imported."""
        archive = self.archives / digest
        if digest not in self.fitting and archive.is_file():
            try:
                self.fitting[digest] = self.fits(archive)
            except (Exception, SystemExit):  # noqa: BLE001 - each process then imports for itself, and complains
                self.fitting[digest] = False
        return archive if self.fitting.get(digest) else None

    def fits(self, archive: Path) -> bool:
        """Tell whether an archive has the files that were imported; those of the first one are imported."""
        with zipfile.ZipFile(archive) as content:
            checksums = {each.filename: each.CRC for each in content.infolist()}
        if not self.fitting:
            self.checksums = {name: checksums[name] for name in import_common(archive)}
        return bool(self.checksums) and self.checksums.items() <= checksums.items()


def import_common(archive: Path) -> list[str]:
    """Import what all modules import; returns the names of its files in the archive."""
    sys.path.insert(0, str(archive))
    try:
        for name in COMMON:
            importlib.import_module(name)
    finally:
        sys.path.remove(str(archive))
    gc.freeze()  # what a process need not look at, it need not copy
    files = [Path(getattr(module, "__file__", None) or "/") for _, module in imported()]
    return [str(file.relative_to(archive)) for file in files if file.is_relative_to(archive)]


def imported() -> list[tuple[str, types.ModuleType]]:
    """Return Ansible's modules that this process has imported, by name."""
    return [(name, module) for name, module in sys.modules.items() if name.partition(".")[0] == ROOT]


def use_archive(archive: Path | None) -> None:
    """Let the packages that were imported find the rest in an archive; without one, let all be imported anew."""
    for name, module in imported():
        if archive is None:
            del sys.modules[name]
        elif hasattr(module, "__path__"):
            module.__path__ = [str(archive.joinpath(*name.split(".")))]


def run_program(program: bytes, archive: Path | None = None) -> Answer:
    """Run a program in a process of its own; returns its exit code, as a shell tells it, and its outputs.

    They go to files in memory: a pipe would be held open by what it leaves running. An archive is one that fits.
    """
    files = [os.memfd_create("output"), os.memfd_create("errors")]
    pid = os.fork()
    if not pid:
        be_program(program, archive, files)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    outputs = []
    for number in files:
        with os.fdopen(number, "rb") as file:
            file.seek(0)
            outputs.append(file.read())
    return code if code >= 0 else 128 - code, outputs[0], outputs[1]


def be_program(program: bytes, archive: Path | None, files: list[int]) -> None:
    """Be the process of a program, as Python runs what it reads from its input; never returns."""
    code = 1
    try:
        os.setsid()
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        os.closerange(FIRST_FILE, LAST_FILE)
        use_archive(archive)
        sys.argv = [""]
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        module.__file__ = "<stdin>"
        exec(compile(program, module.__file__, "exec", dont_inherit=True), vars(module))  # noqa: S102 - its purpose
        code = 0
    except SystemExit as end:
        code = exit_code(end)
    except BaseException:  # noqa: BLE001 - nothing may return into the code above
        traceback.print_exc()
    finally:
        try:
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def exit_code(end: SystemExit) -> int:
    """Return the exit code that Python would end with, and write what is no number, as it does."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 255
    sys.stderr.write(f"{end.code}\n")
    return 1


if __name__ == "__main__":
    main(*sys.argv[1:])
