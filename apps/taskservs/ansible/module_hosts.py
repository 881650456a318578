"""End the module hosts that a run has on its servers (plugins/connection), and wait until their sessions are over."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path

END = bytes(4)  # the length of the request that nothing follows
END_SECONDS = 3.0


def end_module_hosts(folder: Path) -> None:
    """Ask all of them to end; one that does not in time is left to those who kill the run's processes."""
    for path in folder.glob("host-*.requests"):
        with suppress(OSError):  # nobody reads it any more
            requests = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(requests, END)
            os.close(requests)
    give_up = time.monotonic() + END_SECONDS
    for path in folder.glob("host-*.answers"):
        with suppress(OSError):
            answers = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            wait_for_end(answers, give_up)
            os.close(answers)


def wait_for_end(answers: int, give_up: float) -> None:
    """Wait until nobody holds the other end of a pipe, or it is that time of the monotonic clock."""
    while (left := give_up - time.monotonic()) > 0:
        if select.select([answers], [], [], left)[0] and not os.read(answers, 2**16):
            return
