"""`manage.py check_taskserv DIRECTORY`: what is wrong with a taskserv of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.taskservs.catalog_loader import OPERATOR, read
from apps.taskservs.catalog_yaml import BadEntry


class Command(BaseCommand):
    """Check one entry of a catalog."""

    help = "Check a taskserv of your own, the folder with its taskserv.yaml, and say by file and line what is wrong."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder."""
        parser.add_argument("directory", help="the folder of the taskserv, such as /srv/taskservs/motd")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check it. Raises CommandError with every fault."""
        folder = Path(options["directory"]).absolute()
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a directory.")
        try:
            found = read(folder, OPERATOR)
        except BadEntry as error:
            raise CommandError("\n".join(error.faults)) from None
        files = ", ".join(
            f"{file} ({len(tasks)} {'task' if len(tasks) == 1 else 'tasks'})" for file, tasks in found.tasks.items()
        )
        self.stdout.write(f"{found.name} {found.default_version} can be used: {files}.")
