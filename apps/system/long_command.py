"""What management commands that take long have in common: a progress bar on a terminal, and a clean end at Ctrl-C."""

from __future__ import annotations

import sys
from typing import NoReturn

from django.core.management.base import BaseCommand
from tqdm import tqdm

INTERRUPTED = 130  # the shells' code of a program that SIGINT has ended
tqdm.monitor_interval = 0  # no thread that watches the bar


class LongCommand(BaseCommand):
    """A command that may be interrupted; `on_interrupt` says in one sentence what that leaves behind."""

    on_interrupt = "Run it again to go on."

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a program: Ctrl-C prints one line and exits with code 130."""
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            self.end_interrupted()

    def end_interrupted(self) -> NoReturn:
        """Print the one line, and exit."""
        self.stderr.write(f"interrupted. {self.on_interrupt}")
        sys.exit(INTERRUPTED)


def progress_bar(title: str, *, unit: str, total: int | None = None) -> tqdm:
    """Return a bar on stderr, to be entered and updated; without a terminal it shows nothing."""
    return tqdm(desc=title, total=total, unit=f" {unit}", disable=None, leave=False, dynamic_ncols=True)
