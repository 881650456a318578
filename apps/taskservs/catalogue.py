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


@dataclass(frozen=True)
class Entry:
    """One task of a role: its name, and the conditions that it has to meet, all of them."""

    name: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One entry of the catalogue; `tasks` holds those of the role's files `install`, `verify` and `remove`.

    A key of a configuration reaches the role as a variable of that name after the role's own: `redis_port`.
    """

    name: str
    title: str
    category: str
    versions: tuple[str, ...]
    default_version: str
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]
    options: dict[str, Any]
    defaults: dict[str, Any]
    tasks: dict[str, tuple[Entry, ...]]

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
        defaults=yaml.safe_load((directory / "defaults" / "main.yml").read_text()),
        tasks={file: tuple(entries(directory, file)) for file in ("install", "verify", "remove")},
    )


def entries(directory: Path, file: str) -> Iterator[Entry]:
    """Yield the tasks of a tasks file, in their order."""
    yield from flat(yaml.safe_load((directory / "tasks" / f"{file}.yml").read_text()))


def flat(tasks: list[dict[str, Any]], above: tuple[str, ...] = ()) -> Iterator[Entry]:
    """Yield tasks, those within a block, with its conditions, instead of the block itself."""
    for task in tasks:
        conditions = (*above, task["when"]) if "when" in task else above
        yield from flat(task["block"], conditions) if "block" in task else [Entry(task["name"], conditions)]


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
