"""A node's private directory for files that must not outlive it, such as keys in use."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

LONGEST = 26  # sockets below it have paths of at most 108 bytes
PREFIX, LOCK = "prov-", "lock"


class PrivateFolder:
    """A directory for this user's eyes only, locked for as long as this process lives.

    Those that nodes have left behind which were killed together with their orphan reaper are removed first.
    """

    def __init__(self) -> None:
        usual = tempfile.gettempdir()
        base = Path(usual if len(usual) <= LONGEST else "/tmp")  # noqa: S108 - a private directory in it
        remove_abandoned(base)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self.lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def remove_abandoned(base: Path) -> None:
    """Remove this user's directories of nodes that are no more: nobody holds their lock."""
    for lock in base.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):
            if lock.stat().st_uid != os.getuid():
                continue
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(descriptor)
