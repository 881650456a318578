"""Make the image that machines on this host's container engine are made from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.errors import StepError
from apps.providers import services


class Command(BaseCommand):
    help = (
        "Make the Debian 12 image of the provider `local` with mmdebstrap and give it to Podman or Docker; no image "
        "registry is asked. Takes a minute or two."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="make it anew though it is there")
        parser.add_argument("--mirror", default="", help="the URL of Debian's archive to take the packages from")
        parser.add_argument("--engine", default="", help="the engine's address, such as unix:///run/podman/podman.sock")

    def handle(self, *args: Any, rebuild: bool, mirror: str, engine: str, **options: Any) -> None:
        try:
            done = services.image_builders["local"](endpoint=engine, mirror=mirror, rebuild=rebuild)
        except StepError as error:
            raise CommandError(error.message) from error
        self.stdout.write(done)
