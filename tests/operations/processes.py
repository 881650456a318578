"""Other processes, as the kernel lists them."""

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
