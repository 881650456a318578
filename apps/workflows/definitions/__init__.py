"""The workflows there are: one YAML file each, in this directory, named for the workflow type."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from apps.workflows.definition import Definition, parse
from apps.workflows.errors import DefinitionError, UnknownWorkflowType

HERE = Path(__file__).parent


class UniqueKeys(yaml.SafeLoader):
    """Reads YAML and refuses a key that is given twice, of which the plain loader would silently keep one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return the mapping. Raises DefinitionError."""
        keys = [key.value for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise DefinitionError(f"line {node.start_mark.line + 1}: {', '.join(twice)} is given twice")
        return super().construct_mapping(node, deep)


def read(path: Path) -> Definition:
    """Return the definition in a file. Raises DefinitionError naming the file."""
    try:
        return parse(yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys))  # noqa: S506 - a SafeLoader
    except (DefinitionError, yaml.YAMLError) as error:
        raise DefinitionError(f"{path.name}: {error}") from error


@cache
def definitions() -> dict[str, Definition]:
    """Return all definitions by workflow type. Raises DefinitionError."""
    return {path.stem: read(path) for path in sorted(HERE.glob("*.yaml"))}


def definition_named(type: str) -> Definition:
    """Return a definition. Raises UnknownWorkflowType."""
    try:
        return definitions()[type]
    except KeyError:
        known = ", ".join(definitions())
        raise UnknownWorkflowType(type=type, known=known, field="workflow_type") from None
