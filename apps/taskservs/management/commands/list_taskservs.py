"""`manage.py list_taskservs`: the catalog as a table, as docs/taskservs.md has it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import load_catalog

HEAD = "| Taskserv | Category | Versions | Servers | Roles | Endpoints | Requires | Conflicts | Needs |"


class Command(BaseCommand):
    """Print the catalog."""

    help = "Print which taskservs there are, those of TASKSERV_PATHS as well, as a Markdown table."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table."""
        self.stdout.write(HEAD)
        self.stdout.write("|---" * HEAD.count(" |") + "|")
        for definition in load_catalog().values():
            self.stdout.write(f"| {' | '.join(row(definition))} |")


def row(definition: Definition) -> list[str]:
    """Return the cells of one taskserv; the default version is bold."""
    versions = [f"**{each}**" if each == definition.default_version else each for each in definition.versions]
    endpoints = [f"{each.name} {each.port_number(definition.complete({}))}" for each in definition.endpoints]
    lists = (endpoints, definition.requires, definition.conflicts, definition.needs)
    facts = [f"`{definition.name}`", definition.category, ", ".join(versions), str(definition.servers)]
    return [*facts, ", ".join(definition.roles), *(", ".join(each) for each in lists)]
