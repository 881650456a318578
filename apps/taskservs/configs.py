"""Checking a taskserv's configuration against its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from apps.taskservs.catalogue import Definition, hint
from apps.taskservs.errors import BadConfig, UnknownVersion


def pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Match as JSON Schema does: its `$` is the very end, Python's lets a line break follow."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = extend(Draft202012Validator, {"pattern": pattern})


def checked(definition: Definition, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the version that a configuration asks for, and the rest of it. Raises UnknownVersion, BadConfig."""
    version = config.get("version", definition.default_version)
    if version not in definition.versions:
        known = ", ".join(definition.versions)
        raise UnknownVersion(taskserv=definition.name, version=str(version)[:60], known=known, field="config.version")
    faults = dict(faults_in(definition, config))
    if faults:
        what = "; ".join(f"{place}: {' '.join(texts)}" for place, texts in list(faults.items())[:3])
        raise BadConfig(taskserv=definition.name, what=what, details=faults)
    return version, {key: value for key, value in config.items() if key != "version"}


def faults_in(definition: Definition, config: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each place of a configuration that breaks the schema, with what is wrong there."""
    schema = definition.config_schema
    for key in config.keys() - schema["properties"].keys():
        yield f"config.{key[:60]}", [f"Unknown key{hint(key, schema['properties'])}"]
    for error in Validator(schema).iter_errors(config):
        if error.validator != "additionalProperties" or error.absolute_path:
            yield ".".join(["config", *map(str, error.absolute_path)]), [error.message[:200] + "."]
