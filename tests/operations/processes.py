"""Other processes, as the kernel lists them."""

from contextlib import suppress
from pathlib import Path


def stat(pid):
    """The fields of a process's line after its name: state, parent, group, session and so on; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(pid):
    fields = stat(pid)
    return fields is not None and fields[0] not in "ZX"


def name_of(pid):
    """The name that the kernel shows, of at most 15 characters."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()


def group_of(pid):
    fields = stat(pid)
    return int(fields[2]) if fields else None


def children(pid):
    """The living children of a process, oldest first."""
    found = {int(one.name): stat(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()}
    ours = {child: fields for child, fields in found.items() if fields and fields[0] not in "ZX"}
    return sorted((c for c, fields in ours.items() if int(fields[1]) == pid), key=lambda c: (int(ours[c][19]), c))


def descendants(pid):
    below = children(pid)
    return below + [one for child in below for one in descendants(child)]


def reapers_of(*roots):
    """The reapers that watch these processes; they are no children of them."""
    found, watched = [], {str(root).encode() for root in roots}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"orphan_reaper_program.py") for word in words) and watched & set(words):
                found.append(int(process.name))
    return [pid for pid in found if is_alive(pid) and int((stat(pid) or [0, 0])[1]) not in roots]
