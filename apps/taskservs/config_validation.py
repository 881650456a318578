"""Checking a taskserv's configuration against its schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from apps.system.errors import MAX_FAULTS
from apps.system.schema_sentences import shown
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import hint
from apps.taskservs.errors import BadConfig, UnknownVersion


def checked(
    definition: Definition, config: dict[str, Any], *, secret: Collection[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Return the version that a configuration asks for, and the rest of it.

    No value is in an error of what the definition calls secret, or is `secret` besides. Raises UnknownVersion,
    BadConfig.
    """
    version = config.get("version", definition.default_version)
    if version not in definition.versions:
        known = ", ".join(definition.versions)
        raise UnknownVersion(taskserv=definition.name, version=shown(version), known=known, field="config.version")
    faults: dict[str, list[str]] = {}
    for place, text in faults_of(definition, config, secret):
        faults.setdefault(place, []).append(text)
    if faults:
        what = "; ".join(f"{place}: {' '.join(texts)}" for place, texts in list(faults.items())[:3])
        raise BadConfig(taskserv=definition.name, what=what, details=faults)
    return version, {key: value for key, value in config.items() if key != "version"}


def faults_of(
    definition: Definition, config: dict[str, Any], secret: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yield each place of a configuration that breaks the schema, with what is wrong there: a few dozen at most."""
    from apps.system.json_schema import faults_in

    schema = definition.config_schema
    unknown = (key for key in config if key not in schema["properties"])
    for key in islice(unknown, MAX_FAULTS):
        yield f"config.{key[:60]}", f"Unknown key{hint(key[:60], schema['properties'])}"
    known = {key: value for key, value in config.items() if key in schema["properties"]}
    faults = list(faults_in(schema, known))
    for error in faults:
        path = [str(step) for step in error.absolute_path]
        hidden = path and (path[0] in definition.secrets or path[0] in secret)
        text = f"does not fit {error.validator} {error.validator_value!r}" if hidden else error.message
        allowed = schema["properties"][path[0]].get("description", "") if path else ""
        yield ".".join(["config", *path]), f"{text[:200]}. {allowed}".strip()
    if not faults:
        yield from repeated_ports(definition, known)


def repeated_ports(definition: Definition, config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each option that holds the port of another one."""
    given, seen = definition.complete(config), dict[int, str]()
    for key in definition.port_options:
        if (other := seen.setdefault(given[key], key)) != key:
            yield f"config.{key}", f"It is the same port as {other}: {given[key]}."
