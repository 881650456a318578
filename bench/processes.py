"""Processes of a benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(commands: Sequence[Sequence[str | Path]], environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run processes, each in a session of its own; show the end of their output when the block fails."""
    log = Path(os.environ["VAR_DIR"]) / "workers.log"
    with log.open("w") as output:
        started = [
            subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            for command in commands
        ]
    try:
        yield
    except BaseException:
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        for process in started:
            end(process)


def end(process: subprocess.Popen) -> None:
    """Terminate a process, then kill what remains of its group."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
