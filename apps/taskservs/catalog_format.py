"""The format of an entry: a JSON Schema of `taskserv.yaml`, and rules for it and its role; faults name the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.taskservs.catalog_yaml import BadEntry, load_yaml

CATEGORIES = [
    *("container-runtime", "databases", "messaging", "kubernetes"),
    *("networking", "monitoring", "storage", "system"),
]
SYSTEMS = ["debian-12"]
STAGES = ["install", "configure", "start", "verify"]
FILES = [*STAGES, "remove"]
OPTIONAL_FILES = ["join", "leave", "demote", "promote", "forget"]
SHARED_ROLES = {"install_packages", "remove_packages", "run_service"}
# What a machine must allow; an unprivileged container allows none of the first five.
NEEDS = {
    "mounts": "mounting file systems",
    "kernel_modules": "loading kernel modules",
    "sysctl": "changing kernel settings",
    "clock": "setting the clock",
    "network_admin": "changing network interfaces",
    "internet": "a package source besides Debian's own",
}
RESERVED = ["version", "release", "releases", "purge"]
NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}
TEXT = {"type": "string", "minLength": 1}
NAMES = {"type": "array", "items": NAME, "uniqueItems": True}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT = {"type": "integer", "minimum": 1, "maximum": 500}

OPTION = {
    "type": "object",
    "required": ["type", "description"],
    "properties": {
        "type": {"enum": ["string", "integer", "boolean", "array", "object"]},
        "description": {"type": "string", "pattern": r"\.$"},
        "below": {"type": "string", "pattern": "^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$"},
        "secret": {"type": "boolean"},
        "generate": {"type": "integer", "minimum": 16, "maximum": 128},
        "fixed": {"type": "boolean"},
    },
    "if": {"required": ["generate"]},
    "then": {"properties": {"type": {"const": "string"}, "secret": {"const": True}}, "required": ["secret"]},
    "else": {"required": ["default"]},
}
ENTRY: dict[str, Any] = {
    "type": "object",
    "required": [
        *("name", "title", "description", "category", "versions", "default_version", "systems", "servers", "roles"),
        *("requires", "conflicts", "endpoints", "needs", "options"),
    ],
    "additionalProperties": False,
    "properties": {
        "name": NAME,
        "title": TEXT,
        "description": TEXT,
        "category": {"enum": CATEGORIES},
        "versions": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "default_version": TEXT,
        "systems": {"type": "array", "items": {"enum": SYSTEMS}, "minItems": 1},
        "servers": {
            "type": "object",
            "required": ["min", "max"],
            "additionalProperties": False,
            "properties": {"min": COUNT, "max": COUNT, "odd": {"type": "boolean"}},
        },
        "roles": {**NAMES, "minItems": 1, "maxItems": 2},
        "requires": NAMES,
        "conflicts": NAMES,
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "port", "scheme"],
                "additionalProperties": False,
                "properties": {"name": NAME, "port": {"anyOf": [PORT, NAME]}, "scheme": TEXT, "roles": NAMES},
            },
        },
        "stages": {"type": "array", "items": {"enum": STAGES}, "minItems": 1, "uniqueItems": True},
        "needs": {"type": "array", "items": {"enum": list(NEEDS)}, "uniqueItems": True},
        "options": {
            "type": "object",
            "propertyNames": {**NAME, "not": {"enum": RESERVED}},
            "additionalProperties": OPTION,
        },
    },
}


def entry_of(directory: Path) -> dict[str, Any]:
    """Return the content of an entry's `taskserv.yaml`. Raises BadEntry."""
    import yaml

    from apps.system.json_schema import faults_in

    path = directory / "taskserv.yaml"
    given = load_yaml(path)
    found = [(list(error.absolute_path), error.message[:200] + ".") for error in faults_in(ENTRY, given)]
    if not found:
        found = [*agreement(directory, given), *option_faults(directory, given)]
    if found:
        root = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
        raise BadEntry([f"{directory.name}/taskserv.yaml:{line_of(root, place)}: {text}" for place, text in found])
    return given


Fault = tuple[list[str | int], str]


def agreement(directory: Path, given: dict[str, Any]) -> Iterator[Fault]:
    """Yield where one part of an entry does not fit another."""
    if given["name"] in SHARED_ROLES:
        yield ["name"], "is the name of a role that all share; choose another."
    if given["name"] != directory.name:
        yield ["name"], f"the folder is called {directory.name}; name and folder must be the same."
    if given["default_version"] not in given["versions"]:
        yield ["default_version"], f"{given['default_version']} is not among `versions`; add it there."
    if given["servers"]["min"] > given["servers"]["max"]:
        yield ["servers"], "`min` is above `max`."
    if given["name"] in (*given["requires"], *given["conflicts"]):
        yield ["requires"], "a taskserv neither requires itself nor conflicts with itself; take it out."
    for name in set(given["requires"]) & set(given["conflicts"]):
        yield ["conflicts"], f"{name} is both required and in conflict; take it out of one list."
    yield from endpoint_faults(given)
    for file in dict.fromkeys([*given.get("stages", STAGES), "verify", "remove"]):
        if not (directory / "tasks" / f"{file}.yml").is_file():
            yield ["name"], f"the role has no tasks/{file}.yml; write it."


def endpoint_faults(given: dict[str, Any]) -> Iterator[Fault]:
    """Yield which endpoints name no option or no role."""
    for at, endpoint in enumerate(given["endpoints"]):
        option = given["options"].get(endpoint["port"], {})
        if isinstance(endpoint["port"], str) and option.get("type") != "integer":
            yield ["endpoints", at], f"port {endpoint['port']} is not an integer option; name one, or give a number."
        for role in set(endpoint.get("roles", [])) - set(given["roles"]):
            yield ["endpoints", at], f"role {role} is not among `roles`: {', '.join(given['roles'])}."


def option_faults(directory: Path, given: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with options: their schemas, and the role's defaults."""
    from apps.system.json_schema import SchemaError, check_schema

    defaults = load_yaml(directory / "defaults" / "main.yml") or {}
    for key, option in given["options"].items():
        variable, default = f"{given['name']}_{key}", option.get("default", "")
        try:
            check_schema(option)
        except SchemaError as error:
            yield ["options", key], f"is not a JSON Schema: {error.message[:200]}."
            continue
        if variable not in defaults or defaults[variable] != default:
            yield ["options", key], f"set `{variable}: {default!r}` in defaults/main.yml: both must be the same."
        if "below" not in option and unbounded(option):
            yield (
                ["options", key],
                "a text needs `enum`, `pattern` or `format`: no value may break a file's syntax.",
            )
    if defaults.get(f"{given['name']}_version") != given["default_version"]:
        yield ["default_version"], f"set `{given['name']}_version` to the same in defaults/main.yml."


def unbounded(schema: Any) -> bool:
    """Tell whether a schema lets in any text at all."""
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "string":
        return not {"enum", "const", "pattern", "format"} & schema.keys()
    inner = (schema.get("items"), schema.get("additionalProperties"), *schema.get("properties", {}).values())
    free = schema.get("type") == "object" and schema.get("additionalProperties", True) is True
    return free or any(unbounded(each) for each in inner)


def line_of(node: Any, place: list[str | int]) -> int:
    """Return the line, from 1, of a place in a YAML document; of the nearest place above it that exists."""
    import yaml

    line = node.start_mark.line + 1 if node else 1
    for key in place:
        if isinstance(node, yaml.MappingNode):
            found = [(name, value) for name, value in node.value if name.value == str(key)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            found = [(node.value[key], node.value[key])]
        else:
            found = []
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line
