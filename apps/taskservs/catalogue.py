"""What can be installed: a directory each under `catalog/`, with a description and an Ansible role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from apps.taskservs.errors import UnknownTaskserv

ROOT = Path(__file__).parent / "catalog"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One entry of the catalogue; `tasks` maps a file of the role (`install`, `verify`, `remove`) to its task names."""

    name: str
    title: str
    category: str
    versions: tuple[str, ...]
    default_version: str
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]
    options: dict[str, Any]
    tasks: dict[str, tuple[str, ...]]

    @property
    def config_schema(self) -> dict[str, Any]:
        """The JSON Schema (Draft 2020-12) of what a request's `config` may hold, `version` included."""
        version = {"type": "string", "enum": list(self.versions), "default": self.default_version}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"version": version, **self.options},
            "additionalProperties": False,
        }


@cache
def catalogue() -> dict[str, Definition]:
    """Return all definitions by name; they are part of the release, so they are read once."""
    return {path.parent.name: read(path.parent) for path in sorted(ROOT.glob("*/taskserv.yaml"))}


def read(directory: Path) -> Definition:
    """Read one entry."""
    given = yaml.safe_load((directory / "taskserv.yaml").read_text())
    return Definition(
        name=given["name"],
        title=given["title"],
        category=given["category"],
        versions=tuple(given["versions"]),
        default_version=given["default_version"],
        requires=tuple(given["requires"]),
        conflicts=tuple(given["conflicts"]),
        options=given["options"],
        tasks={phase: task_names(directory, phase) for phase in ("install", "verify", "remove")},
    )


def task_names(directory: Path, phase: str) -> tuple[str, ...]:
    """Return the names of a tasks file's tasks, in their order."""
    return tuple(names(yaml.safe_load((directory / "tasks" / f"{phase}.yml").read_text())))


def names(tasks: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the names of tasks, those within a block instead of the block's own."""
    for task in tasks:
        yield from names(task["block"]) if "block" in task else [task["name"]]


def definition_named(name: str) -> Definition:
    """Return the definition that a request's body names. Raises UnknownTaskserv."""
    if name not in catalogue():
        raise UnknownTaskserv(name=name, hint=hint(name, catalogue()), field="name")
    return catalogue()[name]


def hint(given: str, known: Any) -> str:
    """Return the end of a sentence: the nearest of the known names, or all of them."""
    near = get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."


def with_requirements(definition: Definition) -> list[Definition]:
    """Return what has to be installed for a definition, in order, itself last."""
    found: dict[str, Definition] = {}
    for name in definition.requires:
        found |= {each.name: each for each in with_requirements(catalogue()[name])}
    return [*found.values(), definition]
