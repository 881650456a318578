"""How much memory this machine has, for defaults that follow from it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MIB = 2**20
RUN_MIB, FORK_MIB = 59, 47  # of `ansible-playbook`, measured with ansible-core 2.19; forks share some of it
MAX_RUNS = 8
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def ansible_runs(forks: int) -> int:
    """Return how many runs of Ansible with so many forks fit in a quarter of the memory: from one to eight."""
    return max(1, min(MAX_RUNS, total_mib() // 4 // (RUN_MIB + FORK_MIB * forks)))


def total_mib() -> int:
    """Return the machine's memory in MiB, or the control group's where that is less."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in LIMITS:
        with suppress(OSError, ValueError):
            found = min(found, int(Path(path).read_text()))
    return found // MIB
