"""The workflows there are: one YAML file each, in this directory, named for the workflow type."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from apps.workflows.definition import Definition

HERE = Path(__file__).parent


def read(path: Path) -> Definition:
    """Return the definition in a file. Raises DefinitionError naming the file."""
    from apps.workflows.definition_files import parse_text  # YAML takes long to import

    return parse_text(path.read_text(encoding="utf-8"), path.name)


@cache
def definitions() -> dict[str, Definition]:
    """Return all definitions by workflow type. Raises DefinitionError."""
    return {path.stem: read(path) for path in sorted(HERE.glob("*.yaml"))}
