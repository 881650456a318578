"""The probes of the engine: whether workers live, take what is due, and agree on the time."""

from __future__ import annotations

from django.db import connection

from apps.operations import nodes
from apps.operations.models import Drain
from apps.system.doctor import Finding, Probe, fail, ok, warn
from apps.system.probes import judged

PATIENCE_SECONDS = 30.0


def look_at_workers() -> list[Finding]:
    """See whether any node works."""
    live = list(nodes.live())
    if not live:
        return [fail("workers", "None is running, so nothing is done.", "Start `manage.py worker`.")]
    names = ", ".join(f"{node.name} ({node.workers} processes)" for node in live)
    return [ok("workers", f"{len(live)} live: {names}.")]


def look_at_queue() -> list[Finding]:
    """See whether due work is taken."""
    drain = Drain.objects.first()
    if drain is not None:
        why = f" ({drain.reason})" if drain.reason else ""
        said = f"Drained since {drain.since:%Y-%m-%d %H:%M} UTC{why}: no work is begun."
        return [warn("queue", said, "Run `manage.py drain --off` when it may go on.")]
    age = nodes.oldest_due_seconds()
    if age > PATIENCE_SECONDS:
        said = f"The oldest due operation has waited {age:.0f} s for a worker."
        return [fail("queue", said, "See whether workers run and are enough (WORKERS), and `manage.py limit`.")]
    return [ok("queue", f"The oldest due operation has waited {age:.1f} s.")]


def look_at_clocks() -> list[Finding]:
    """Compare each live node's clock with the database's; those on SQLite are this machine's."""
    if connection.vendor == "sqlite":
        return []
    return [
        judged("node clock", node.name, (node.clock_at - node.seen_at).total_seconds())
        for node in nodes.live().exclude(clock_at=None)
    ]


PROBES = [
    Probe(name="workers", look=look_at_workers),
    Probe(name="queue", look=look_at_queue),
    Probe(name="node clock", look=look_at_clocks),
]
