"""Seal every secret anew with the first of CREDENTIALS_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import CommandError, DjangoHelpFormatter

from apps.system.key_rotation import Count, rotate, secrets, survey
from apps.system.long_command import LongCommand, progress_bar

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


class HelpFormatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Django's order of options, and the text as it is written."""


class Command(LongCommand):
    help = HELP
    on_interrupt = "Each secret is sealed with one key or the other; run it again to go on."

    def create_parser(self, *args: Any, **options: Any) -> Any:
        parser = super().create_parser(*args, **options)
        parser.formatter_class = HelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count what is not sealed with the first key")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            with progress_bar("sealing", unit="secrets", total=secrets()) as bar:
                counts = rotate(on_row=bar.update)
            for count in counts:
                meanwhile = f", {count.changed} changed meanwhile" if count.changed else ""
                self.stdout.write(
                    f"{title(count)}: {count.renewed} re-encrypted, {count.current} were already{meanwhile}"
                )
        found = survey()
        if check:
            for count in found:
                self.stdout.write(f"{title(count)}: {count.outdated} to be re-encrypted, {count.current} are already")
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
