"""Check workflow definitions before they are put to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.workflows.services.check_file import check_file


class Command(BaseCommand):
    help = "Check files with workflow definitions; errors name file, line and column."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a YAML file with a definition")

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        faults = []
        for name in files:
            if fault := check_file(Path(name)):
                faults.append(fault)
                self.stderr.write(fault)
            else:
                self.stdout.write(f"{name}: OK")
        if faults:
            raise CommandError(f"{len(faults)} of {len(files)} cannot be used.")
