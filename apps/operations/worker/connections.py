"""Looking after database connections once a second rather than for each task."""

from __future__ import annotations

import time

from django.db import close_old_connections, connections

from apps.system.database import forget_plans

FRESH_SECONDS = 1.0
checked_at = float("-inf")


def refresh() -> None:
    """Close what is old or broken, as Django does between requests, and let statements be planned anew.

    Each time, the next statement costs another round trip, to ask whether the server is there. In steady use it has
    just answered; after a rest or an error it is asked.
    """
    global checked_at
    now = time.monotonic()
    is_broken = any(connection.errors_occurred for connection in connections.all(initialized_only=True))
    if is_broken or now - checked_at > FRESH_SECONDS:
        checked_at = now
        close_old_connections()
        forget_plans()
