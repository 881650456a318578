"""Stop beginning work everywhere, or go on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.operations.models import Operation
from apps.operations.worker import nodes


class Command(BaseCommand):
    help = "Let no worker begin a step, on any node; queued work waits and says so. `--off` ends the drain."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--off", action="store_true", help="let workers begin steps again")
        parser.add_argument("--reason", default="", help="shown with each operation that waits")

    def handle(self, *args: Any, off: bool, reason: str, **options: Any) -> None:
        nodes.undrain() if off else nodes.drain(reason=reason)
        waiting = Operation.objects.unfinished()
        running = waiting.exclude(lease_owner="").count()
        state = "Workers begin steps again" if off else "No worker begins a step any more"
        self.stdout.write(f"{state}; {waiting.count()} operations unfinished, {running} of them running.")
