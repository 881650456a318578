"""Seal every secret anew with the first of CREDENTIALS_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.system.rotation import Count, rotate, survey

HELP = """\
Seal every secret anew with the first of CREDENTIALS_KEYS. To change the key:

  1. Put the new key in front of the old one, CREDENTIALS_KEYS=new,old, on every node, and restart web servers and
     workers: from now on secrets are sealed with the new key, and opened with either. Where CREDENTIALS_KEYS was not
     set, the old key is the value of SECRET_KEY.
  2. Run `manage.py rotate_secrets` until `manage.py rotate_secrets --check` finds nothing left. Either may be
     interrupted and run again, while the service runs.
  3. Remove the old key, CREDENTIALS_KEYS=new, and restart again. Backups made before step 2 need the old key: keep it
     with them.

The exit code is 1 when any secret is not sealed with the first key, or cannot be opened with any."""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        parser = super().create_parser(*args, **options)
        parser.formatter_class = type("Formatter", (RawDescriptionHelpFormatter, parser.formatter_class), {})
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count what is not sealed with the first key")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            for count in rotate():
                meanwhile = f", {count.changed} changed meanwhile" if count.changed else ""
                self.stdout.write(
                    f"{title(count)}: {count.renewed} sealed anew, {count.current} were already{meanwhile}"
                )
        found = survey()
        if check:
            for count in found:
                self.stdout.write(f"{title(count)}: {count.outdated} to be sealed anew, {count.current} are already")
        broken = [name for count in found for name in count.broken]
        for name in broken:
            self.stderr.write(f"no key opens {name}")
        outdated = sum(count.outdated for count in found)
        if broken or outdated:
            raise CommandError(conclusion(outdated, len(broken)))


def title(count: Count) -> str:
    """Name a place."""
    return f"{count.place.model}.{count.place.field}"


def conclusion(outdated: int, broken: int) -> str:
    """Say what is left to do."""
    left = f"{outdated} are not sealed with the first key: run rotate_secrets (again)." if outdated else ""
    lost = f"{broken} cannot be opened: put their key back into CREDENTIALS_KEYS, or enter them anew." if broken else ""
    return " ".join(part for part in (left, lost) if part)
