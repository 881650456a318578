"""Orphan reaper: a small process that kills what a process tree leaves behind when the root of the tree dies.

A parent-death signal reaches a direct child only, and a subreaper collects orphans only while it lives. When all
processes of a node are killed at once, neither is left, and programs that steps had started (their own children in
other sessions included) would go on beside the node that takes the work up. The reaper runs outside the tree: it is no
descendant of the root and shares no session or process group with it.

The root marks its tree by a resource limit, RLIMIT_RTTIME, set to a random number of microseconds. Every process below
the root inherits it through fork, exec, setsid and a cleared environment, and `/proc` shows it of any process. It
limits only processes under a real-time scheduler, and those to more than two weeks. The soft limit is the mark of the
innermost tree, the hard limit that of the outermost: a worker's tree inside that of `manage.py dev` carries both.

Linux 5.3 or newer; elsewhere nothing is started. The reaper's program is `orphan_reaper_program.py`.
"""

from __future__ import annotations

import logging
import os
import resource
import secrets
import subprocess
import sys

from apps.system import orphan_reaper_program
from apps.system.orphan_reaper_program import has_ended

logger = logging.getLogger(__name__)
SMALLEST_MARK = 2**41
LARGEST_MARK = 2**62
START_SECONDS = 10.0
LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD")


class OrphanReaper:
    """The reaper of the calling process's tree, as its root sees it.

    `grace` is for how many seconds the tree may end by itself after the root's death. `folder`, the tree's private
    directory, is removed afterwards.
    """

    def __init__(self, *, grace: float = 0.0, folder: str = ""):
        self.grace, self.folder = grace, folder
        self.mark = 0
        self.pidfd = -1
        self.has_warned = False

    def ensure(self) -> None:
        """Start the reaper if it does not run; one that cannot be started is for the next call.

        To be called while this process is no subreaper, or it would become the reaper's parent.
        """
        if self.is_alive():
            return
        try:
            self.start()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if not self.has_warned:
                logger.warning("the orphan reaper cannot be started (%s); trying again", error)
            self.has_warned = True

    def start(self) -> None:
        """Mark the tree and start the reaper. Raises OSError, ValueError, SubprocessError."""
        self.mark = self.mark or mark_this_process()
        program = [sys.executable, "-I", "-S", orphan_reaper_program.__file__]
        done = subprocess.run(  # noqa: S603 - our own program
            [*program, str(os.getpid()), str(self.mark), str(self.grace), self.folder],
            env={name: os.environ[name] for name in LOADER if name in os.environ},
            cwd="/",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=START_SECONDS,
            check=True,
        )
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        self.pidfd = os.pidfd_open(int(done.stdout))

    def is_alive(self) -> bool:
        """Tell whether the reaper runs; always true where there is none."""
        return sys.platform != "linux" or (self.pidfd >= 0 and not has_ended(self.pidfd, seconds=0))


def mark_this_process() -> int:
    """Set the mark that what is started from now on inherits, and return it. Raises OSError, ValueError."""
    _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    largest = LARGEST_MARK if hard == resource.RLIM_INFINITY else hard
    smallest = min(SMALLEST_MARK, largest // 2)
    mark = smallest + secrets.randbelow(largest - smallest)
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark if hard == resource.RLIM_INFINITY else hard))
    return mark
