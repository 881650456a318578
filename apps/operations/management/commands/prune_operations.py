"""Delete old, finished operations with their logs."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from apps.operations import upkeep

UNITS = {"d": "days", "h": "hours", "w": "weeks"}


def age(text: str) -> timedelta:
    """Read an age such as 90d, 12h or 4w. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d{1,5})([dhw])", text)
    if match is None:
        raise ArgumentTypeError("give an age such as 90d, 12h or 4w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


class Command(BaseCommand):
    help = "Delete operations that ended long ago, in batches; a daily schedule does it too."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=age, default=timedelta(days=90), help="such as 90d (the default)")
        parser.add_argument("--batch", type=int, default=1000, help="rows deleted at once (default 1000)")

    def handle(self, *args: Any, older_than: timedelta, batch: int, **options: Any) -> None:
        self.stdout.write(f"{upkeep.prune_operations(older_than=older_than, batch=batch)} operations deleted")
