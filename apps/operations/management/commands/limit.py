"""Cap how many operations of a workspace or provider account run at once."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.models import Lane

NAME = re.compile(r"workspace:[-\w]+|account:\d+", re.ASCII)


class Command(BaseCommand):
    help = "Cap what runs at once: `limit workspace:production 20`, `limit account:1 3`, `limit account:1 none`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="workspace:NAME, or account:ID with the id that the admin shows")
        parser.add_argument("most", nargs="?", help="how many at once, or none; without it the caps are listed")

    def handle(self, *args: Any, name: str | None, most: str | None, **options: Any) -> None:
        if name is not None and most is not None:
            change(name, most)
        for lane in Lane.objects.all():
            self.stdout.write(str(lane))


def change(name: str, most: str) -> None:
    """Set or lift a cap. Raises CommandError."""
    if not NAME.fullmatch(name):
        raise CommandError("Give workspace:NAME or account:ID, such as workspace:production or account:1.")
    if most == "none":
        Lane.objects.filter(pk=name).delete()
    elif most.isascii() and most.isdigit() and len(most) < 6:
        Lane.objects.update_or_create(pk=name, defaults={"most": int(most)})
    else:
        raise CommandError("Give a whole number from 0 to 99999, or none.")
