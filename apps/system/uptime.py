"""How long this process has served."""

from __future__ import annotations

import time

STARTED = time.monotonic()


def uptime_seconds() -> int:
    """Return how long this process has served, in whole seconds."""
    return int(time.monotonic() - STARTED)
