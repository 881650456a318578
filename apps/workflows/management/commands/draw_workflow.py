"""Draw a workflow type or a definition file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.system.errors import DomainError
from apps.workflows.definition import Definition
from apps.workflows.definitions import definitions
from apps.workflows.services.definitions import all_definitions
from apps.workflows.services.graphs import svg_of_definition


def uploaded_definition(type: str) -> Definition:
    """Return an uploaded definition. Raises CommandError."""
    found = all_definitions()
    if type not in found:
        raise CommandError(f"There is no workflow type {type}; there are {', '.join(found)}.")
    return found[type].definition


class Command(BaseCommand):
    help = "Draw a workflow type as SVG."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("type", help="a type, such as cluster_create")
        parser.add_argument("file", nargs="?", help="where to write the picture; standard output unless given")

    def handle(self, *args: Any, type: str, file: str | None, **options: Any) -> None:
        definition = definitions().get(type) or uploaded_definition(type)
        try:
            picture = svg_of_definition(definition)
        except DomainError as refusal:
            raise CommandError(refusal.text) from refusal
        if file:
            Path(file).write_bytes(picture)
        else:
            sys.stdout.buffer.write(picture)
