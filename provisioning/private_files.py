"""Keep the service's files from other users of the machine: folders 0700, files 0600."""

from __future__ import annotations

import os
from pathlib import Path

UMASK = 0o077
OUR_FILES = {"provisioning.sqlite3", "emulator.sqlite3", "measurements.json"}


def make_private(folder: Path, *, ours: bool) -> None:
    """Make VAR_DIR and take away other users' rights to it, and to the databases that earlier versions made in it.

    A folder that was there and does not look like ours (`VAR_DIR=/tmp`) keeps its rights; our files in it do not.
    Raises SystemExit when there is no folder and none can be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        tighten(folder, ours=ours)
    except OSError as error:
        raise SystemExit(
            f"VAR_DIR is {str(folder)!r}; it must be a folder that can be made: {error.strerror}."
        ) from None


def tighten(folder: Path, *, ours: bool) -> None:
    """Take away the rights of others, as far as we own what is there."""
    try:
        inside = list(folder.iterdir())
        databases = [path for path in inside if path.name.partition("-")[0] in OUR_FILES]
        looks_ours = ours or bool(databases) or not inside
        for path in databases + ([folder] if looks_ours else []):
            at = path.lstat()
            is_shared = bool(at.st_mode & 0o1000)
            if at.st_uid == os.geteuid() and at.st_mode & UMASK and not path.is_symlink() and not is_shared:
                path.chmod(at.st_mode & 0o7777 & ~UMASK)
    except OSError:
        return  # such as a folder of another user; the doctor's probe of the database says what cannot be used
