"""Set, lift and list concurrency limits: how many operations of a workspace or account run at once."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from difflib import get_close_matches
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.models import ConcurrencyLimit
from apps.operations.registry import limited_names

NAME = re.compile(r"workspace:[-\w]+|account:\d+", re.ASCII)


class Command(BaseCommand):
    help = (
        "Set, lift or list concurrency limits: "
        "`limit workspace:production 20`, `limit account:1 3`, `limit account:1 none`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="workspace:NAME, or account:ID with the id that the admin shows")
        parser.add_argument(
            "max_running",
            nargs="?",
            help="how many run at once, or none for no limit; without it the limits are listed",
        )

    def handle(self, *args: Any, name: str | None, max_running: str | None, **options: Any) -> None:
        if name is not None and max_running is not None:
            change(name, max_running)
        limits = [str(limit) for limit in ConcurrencyLimit.objects.all()]
        self.stdout.write("\n".join(limits) or "There is no limit.")


def change(name: str, max_running: str) -> None:
    """Set or lift a concurrency limit. Raises CommandError."""
    if not NAME.fullmatch(name):
        raise CommandError("Give workspace:NAME or account:ID, such as workspace:production or account:1.")
    if max_running == "none":
        ConcurrencyLimit.objects.filter(pk=name).delete()
    elif name not in (known := limited_names()):
        raise CommandError(f"There is no {name}. {nearest(name, known)}")
    elif max_running.isascii() and max_running.isdigit() and len(max_running) < 6:
        ConcurrencyLimit.objects.update_or_create(pk=name, defaults={"max_running": int(max_running)})
    else:
        raise CommandError("Give a whole number from 0 to 99999, or none.")


def nearest(name: str, known: list[str]) -> str:
    """Return a sentence with the names that were probably meant."""
    alike = get_close_matches(name, known, n=1, cutoff=0.5)
    if alike:
        return f"Did you mean {alike[0]}?"
    return f"There is {', '.join(known[:10])}." if known else "There is nothing yet that could have a limit."
