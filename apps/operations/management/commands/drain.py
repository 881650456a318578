"""Stop beginning work everywhere, or go on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.operations import nodes
from apps.operations.models import Operation


class Command(BaseCommand):
    help = "Let no worker begin a step, on any node; queued work waits and says so. `--off` goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--off", action="store_true", help="claim again")
        parser.add_argument("--reason", default="", help="shown to who waits")

    def handle(self, *args: Any, off: bool, reason: str, **options: Any) -> None:
        nodes.undrain() if off else nodes.drain(reason=reason)
        waiting = Operation.objects.unfinished()
        running = waiting.exclude(lease_owner="").count()
        state = "claiming again" if off else "no step is begun any more"
        self.stdout.write(f"{state}; {waiting.count()} operations unfinished, {running} of them in a worker's hands")
