"""Runs modules of Ansible on a server, each in a process forked from this one, which has imported what they import.

The connection plugin sends this program to a server and talks to it over one SSH session. A request is a module's
program after its length, an answer the exit code and the two outputs after their lengths; numbers have four bytes. It
ends after an empty request, or with the session. On the server there is only the standard library.
"""

# ruff: noqa: F401 - the processes of modules find imported what they import
from __future__ import annotations

import atexit
import base64
import contextlib
import dataclasses
import datetime
import hashlib
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

Answer = tuple[int, bytes, bytes]


def main(run: str) -> None:
    """Answer requests until an empty one, or the end of the session."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    began_with = interpreter()
    answers.write(READY)
    answers.flush()
    while len(length := requests.read(4)) == 4 and any(length):
        program = requests.read(struct.unpack(">I", length)[0])
        code, said, complained = answer_to(program, run, began_with)
        answers.write(struct.pack(">III", code, len(said), len(complained)) + said + complained)
        answers.flush()


def answer_to(program: bytes, run: str, began_with: tuple[int, int]) -> Answer:
    """Run a program, unless another run has taken the server, or this process's library may be another by now."""
    if interpreter() != began_with:
        return NOT_HOSTED, b"", b""
    if holder() not in ("", run):
        return TAKEN_OVER, b"", REASON
    return run_program(program)


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


def run_program(program: bytes) -> Answer:
    """Run a program in a process of its own; returns its exit code, as a shell tells it, and its outputs.

    They go to files in memory: a pipe would be held open by what it leaves running.
    """
    files = [os.memfd_create("output"), os.memfd_create("errors")]
    pid = os.fork()
    if not pid:
        be_program(program, files)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    outputs = []
    for number in files:
        with os.fdopen(number, "rb") as file:
            file.seek(0)
            outputs.append(file.read())
    return code if code >= 0 else 128 - code, outputs[0], outputs[1]


def be_program(program: bytes, files: list[int]) -> None:
    """Be the process of a program, as Python runs what it reads from its input; never returns."""
    code = 1
    try:
        os.setsid()
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        os.closerange(FIRST_FILE, LAST_FILE)
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
    main(sys.argv[1])
