"""Delete old, finished operations with their logs."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from apps.operations import retention
from apps.system.long_command import LongCommand, progress_bar

UNITS = {"d": "days", "h": "hours", "w": "weeks"}


def age(text: str) -> timedelta:
    """Read an age such as 90d, 12h or 4w. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d{1,5})([dhw])", text)
    if match is None:
        raise ArgumentTypeError("give an age such as 90d, 12h or 4w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


class Command(LongCommand):
    help = "Delete operations that ended long ago, in batches; a daily schedule does it too."
    on_interrupt = "What was deleted so far is gone with its logs, and nothing else is; run it again to go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=age,
            default=timedelta(days=90),
            help="the least time since their end, such as 12h or 4w (default 90d)",
        )
        parser.add_argument("--batch", type=int, default=1000, help="how many are deleted at once (default 1000)")

    def handle(self, *args: Any, older_than: timedelta, batch: int, **options: Any) -> None:
        with progress_bar("deleting", unit="operations") as bar:
            deleted = retention.prune_operations(older_than=older_than, batch=batch, on_batch=bar.update)
        self.stdout.write(f"{deleted} operations deleted")
