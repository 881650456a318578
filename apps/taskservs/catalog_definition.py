"""One entry of the catalog: what its `taskserv.yaml` and its role say, as types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

# Keys of an option that are ours, not JSON Schema's.
OWN_KEYWORDS = {"below", "secret", "generate", "fixed"}


@dataclass(frozen=True)
class RoleTask:
    """One task of a role: its name, and the conditions that it has to meet, all of them."""

    name: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ServerCount:
    """How many servers one taskserv takes; with `odd`, only an odd number (members that elect a leader)."""

    min: int = 1
    max: int = 1
    odd: bool = False

    def allows(self, count: int) -> bool:
        """Tell whether a taskserv may be on so many servers."""
        return self.min <= count <= self.max and not (self.odd and count % 2 == 0)

    def __str__(self) -> str:
        """Return it for a table: `1`, `1 to 500`, `1 to 7, an odd number`."""
        numbers = str(self.min) if self.min == self.max else f"{self.min} to {self.max}"
        return f"{numbers}, an odd number" if self.odd else numbers

    @property
    def in_words(self) -> str:
        """Return it for a sentence: `1 server`, `1 to 500 servers`, `an odd number of servers from 1 to 7`."""
        if self.odd:
            return f"an odd number of servers from {self.min} to {self.max}"
        return f"{self} server{'' if self.max == 1 else 's'}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where clients connect: a TCP port (a number, or the option that holds it) on the servers of some roles."""

    name: str
    port: int | str
    scheme: str
    roles: tuple[str, ...]

    def port_number(self, config: dict[str, Any]) -> int:
        """Return the port for a complete configuration."""
        return self.port if isinstance(self.port, int) else int(config[self.port])


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One entry of the catalog; `tasks` holds those of the role's files by name: `install`, `configure`, …

    An option is described by a JSON Schema. One that names a directory has `below` in it, the taskserv's own directory;
    `secret: true` marks what is sealed and never shown, `generate: N` what is made of N random characters when absent,
    `fixed: true` what cannot be changed after the creation.
    A key of a configuration reaches the role as a variable of that name after the role's own: `redis_port`.
    `roles` are the roles of servers; the first named server gets the first, all others the last.
    `stages` are the files of tasks that an installation runs, in order. `needs` are keys of `NEEDS`.
    `source` is `built-in`, `operator` (TASKSERV_PATHS) or `workspace`; `directory` is the role.
    """

    name: str
    title: str
    description: str
    category: str
    versions: tuple[str, ...]
    default_version: str
    systems: tuple[str, ...]
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]
    options: dict[str, Any]
    servers: ServerCount
    roles: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    stages: tuple[str, ...]
    needs: tuple[str, ...]
    defaults: dict[str, Any] = field(repr=False)
    tasks: dict[str, tuple[RoleTask, ...]] = field(repr=False)
    directory: Path
    source: str

    @property
    def config_schema(self) -> dict[str, Any]:
        """The JSON Schema (Draft 2020-12) of what a request's `config` may hold, `version` included."""
        version = {"type": "string", "enum": list(self.versions), "default": self.default_version}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"version": version, **{key: described(option) for key, option in self.options.items()}},
            "additionalProperties": False,
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The options that are secret."""
        return tuple(key for key, option in self.options.items() if option.get("secret"))

    @property
    def generated(self) -> dict[str, int]:
        """The options that are generated when a request does not give them, with their length in characters."""
        return {key: option["generate"] for key, option in self.options.items() if "generate" in option}

    @property
    def fixed(self) -> tuple[str, ...]:
        """The options that cannot be changed after the creation."""
        return tuple(key for key, option in self.options.items() if option.get("fixed"))

    @property
    def port_options(self) -> tuple[str, ...]:
        """The options that hold a TCP port: integers named `port` or `…_port`."""
        return tuple(key for key, option in self.options.items() if option["type"] == "integer" and is_port(key))

    def ports(self, config: dict[str, Any]) -> dict[int, str]:
        """Return the TCP ports that it uses with a configuration, each with its option or endpoint."""
        given = self.complete(config)
        numbers = {each.port: each.name for each in self.endpoints if isinstance(each.port, int)}
        return numbers | {given[key]: key for key in self.port_options}

    def role_of(self, index: int) -> str:
        """Return the role of the server at a place of the request's list, from 0."""
        return self.roles[min(index, len(self.roles) - 1)]

    def complete(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return a configuration with the defaults of what it leaves out; generated options are not made here."""
        defaults = {key: option["default"] for key, option in self.options.items() if "default" in option}
        return {**defaults, **config}

    def foreign_paths(self, config: dict[str, Any]) -> list[str]:
        """Return the options of a stored configuration that name a directory which is not the taskserv's own."""
        paths = [key for key, option in self.options.items() if "below" in option and key in config]
        return [key for key in paths if not re.fullmatch(path_pattern(self.options[key]), str(config[key]))]


def is_port(key: str) -> bool:
    """Tell whether an option's name says that it holds a TCP port."""
    return key == "port" or key.endswith("_port")


def described(option: dict[str, Any]) -> dict[str, Any]:
    """Return an option's JSON Schema: a directory gets the pattern that keeps it in place, a secret is `writeOnly`."""
    plain = {key: value for key, value in option.items() if key not in OWN_KEYWORDS}
    if "below" in option:
        plain["pattern"] = f"^({path_pattern(option)})$"
    if option.get("secret"):
        plain["writeOnly"] = True
    return plain


def path_pattern(option: dict[str, Any]) -> str:
    """Return the pattern of a directory: the default, or one below the taskserv's own or below an allowed one.

    No part of it begins with a dot, so that none leads upwards.
    """
    roots = [root.replace(".", "[.]") for root in (option["below"], *settings.TASKSERV_DIRECTORIES)]
    return f"{option['default'].replace('.', '[.]')}|({'|'.join(roots)})(/[A-Za-z0-9_][A-Za-z0-9._-]*)+"
