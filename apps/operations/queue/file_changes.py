"""Notices of writes to a file, by Linux's inotify."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
import weakref
from contextlib import suppress
from pathlib import Path

IN_MODIFY = 0x2
IN_IGNORED = 0x8000  # the last notice: the file is gone
NOTICE = struct.Struct("iIII")  # watch, what happened, cookie, length of a name, which is 0 where a file is watched
MAX_BYTES = 256 * NOTICE.size
LIBC = ctypes.CDLL(None, use_errno=True)


class FileChanges:
    """Tells of writes to a file from now on. Raises OSError where the system has no inotify, or no such file."""

    def __init__(self, path: Path):
        if sys.platform != "linux":
            raise OSError("this system has no inotify")
        self.descriptor = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.close = weakref.finalize(self, os.close, self.descriptor)
        self.file, self.is_gone = path.stat(), False
        self.path = path
        if LIBC.inotify_add_watch(self.descriptor, os.fsencode(path), IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))

    def is_current(self) -> bool:
        """Tell whether the watched file is still the one at its path."""
        with suppress(OSError):
            return not self.is_gone and os.path.samestat(self.file, self.path.stat())
        return False

    def wait(self, seconds: float) -> bool:
        """Wait for a write or the file's end, for so many seconds at most; returns whether there was one since."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return False
        with suppress(BlockingIOError):
            notices = NOTICE.iter_unpack(os.read(self.descriptor, MAX_BYTES))
            self.is_gone = any(what & IN_IGNORED for _, what, _, _ in notices) or self.is_gone
        return True
