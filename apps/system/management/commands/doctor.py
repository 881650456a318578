"""Tell what is right and what is wrong with this installation, and what to do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.system.doctor import Finding, Level, examine


class Command(BaseCommand):
    help = """Look at database, settings, clock, secrets, workers, programs and every cloud account, and say what to do.
Run it on every node, as the user and with the environment of the service. The exit code is 1 when anything FAILs."""
    requires_system_checks: list[str] = []  # their complaints are findings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="ask no cloud")
        parser.add_argument("--json", action="store_true", help="print the findings as a JSON array")

    def handle(self, *args: Any, offline: bool, **options: Any) -> None:
        found = []
        for finding in examine(offline=offline):
            found.append(finding)
            if not options["json"]:
                self.stdout.write(lines(finding))
                self.stdout.flush()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2))
        failed = sum(finding.level is Level.FAIL for finding in found)
        if failed:
            raise CommandError(f"{failed} of {len(found)} findings are failures.")


def lines(finding: Finding) -> str:
    """Return a finding as people read it."""
    advice = f"\n{'':7}-> {finding.advice}" if finding.advice else ""
    return f"{finding.level:<6} {finding.name}: {finding.found}{advice}"
