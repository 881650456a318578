"""Doctor checks of the engine: workers, queue, clocks of nodes."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from apps.operations.models import DrainMode
from apps.operations.worker import nodes
from apps.system.doctor import Check, Finding, fail, ok, warn
from apps.system.doctor_checks import clock_finding

PATIENCE_SECONDS = 30.0


def check_workers() -> list[Finding]:
    """Check whether any node works."""
    live = list(nodes.live())
    if not live:
        return [fail("workers", "None is running, so nothing is done.", "Start `manage.py worker`.")]
    names = ", ".join(f"{node.name} ({node.workers} processes, version {node.version or 'unknown'})" for node in live)
    others = sorted({node.version or "unknown" for node in live} - {settings.VERSION})
    if others:
        text = f"{len(live)} live, not all of this version, {settings.VERSION}: {names}."
        return [warn("workers", text, "Finish the upgrade: let all nodes run one version.")]
    return [ok("workers", f"{len(live)} live: {names}.")]


def check_queue() -> list[Finding]:
    """Check whether due work is taken."""
    drain = DrainMode.objects.first()
    if drain is not None:
        reason = f" ({drain.reason})" if drain.reason else ""
        text = f"Drained since {drain.since:%Y-%m-%d %H:%M} UTC{reason}: no work is begun."
        return [warn("queue", text, "Run `manage.py drain --off` when it may go on.")]
    age = nodes.oldest_due_seconds()
    if age > PATIENCE_SECONDS:
        text = f"The oldest operation that may be claimed has waited {age:.0f} s for a worker."
        return [fail("queue", text, "See whether workers run and are enough (WORKERS), and `manage.py limit`.")]
    return [ok("queue", f"The oldest operation that may be claimed has waited {age:.1f} s.")]


def check_clocks() -> list[Finding]:
    """Compare each live node's clock with the database's; those on SQLite are this machine's."""
    if connection.vendor == "sqlite":
        return []
    return [
        clock_finding("node clock", node.name, (node.clock_at - node.seen_at).total_seconds())
        for node in nodes.live()
        if node.clock_at is not None
    ]


CHECKS = [
    Check(name="workers", look=check_workers),
    Check(name="queue", look=check_queue),
    Check(name="node clock", look=check_clocks),
]
