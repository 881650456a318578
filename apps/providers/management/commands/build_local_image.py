"""Make the image that machines on this host's container engine are made from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.operations.errors import StepError
from apps.providers import registry
from apps.system.long_command import LongCommand


class Command(LongCommand):
    help = (
        "Make the Debian 12 image of the provider `local` with mmdebstrap and give it to Podman or Docker; no image "
        "registry is asked. Takes a minute or two."
    )
    on_interrupt = "The engine's images are as they were."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="build it even if it exists")
        parser.add_argument("--mirror", default="", help="the URL of Debian's archive to take the packages from")
        parser.add_argument("--engine", default="", help="the engine's address, such as unix:///run/podman/podman.sock")

    def handle(self, *args: Any, rebuild: bool, mirror: str, engine: str, **options: Any) -> None:
        try:
            done = registry.image_builder("local")(endpoint=engine, mirror=mirror, rebuild=rebuild, tell=self.tell)
        except StepError as error:
            raise CommandError(error.message) from error
        self.stdout.write(done)

    def tell(self, line: str) -> None:
        """Print what begins now."""
        self.stdout.write(line)
        self.stdout.flush()
