"""Strict JSON Schema (Draft 2020-12): integers are written as integers, and sizes are checked before contents.

Schemas may come from clients too: patterns are matched in linear time, and the whole work is limited.

Import this module inside the functions that use it: with its library it would take a twentieth of every start.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY
from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY

from apps.system.errors import MAX_FAULTS
from apps.system.linear_regex import BadPattern, compiled, found
from apps.system.schema_sentences import LETTERS_PER_UNIT, names, sentence, shown
from apps.system.work_limit import limited_work, spend

# A size keyword, and the keywords that need not be looked at when it is broken.
SIZES: dict[str, tuple[type[list] | type[dict] | type[str], tuple[str, ...]]] = {
    "maxItems": (list, ("items", "prefixItems", "contains", "uniqueItems")),
    "maxProperties": (dict, ("properties", "patternProperties", "additionalProperties", "propertyNames")),
    "maxLength": (str, ("pattern", "format", "enum", "const")),
}
Check = Callable[[Any, Any, Any, Mapping[str, Any]], Any]
LIBRARY: Mapping[str, Check] = Draft202012Validator.VALIDATORS
FORMATS, PATTERNS = FormatChecker(formats=()), FormatChecker(formats=())
# For these the library matches patterns in its own way, or takes another class than `Validator`.
REFUSED = ("unevaluatedProperties", "unevaluatedItems", "$schema", "$id")
FOLLOWED = ("$ref", "$dynamicRef")  # which take longer than the others
MAX_WORK = 100_000  # units, for one value or one schema
BYTES_PER_UNIT, ITEMS_PER_UNIT = 5000, 10  # of a value as JSON, of a list


def is_integer(checker: Any, value: Any) -> bool:
    """Tell whether a value is an integer as it is written: 3, not 3.0 and not true."""
    return isinstance(value, int) and not isinstance(value, bool)


def pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Match in linear time."""
    if isinstance(instance, str) and not found(pattern, instance):
        yield ValidationError(f"{shown(instance)} does not match {shown(pattern, 500)}")


def pattern_properties(validator: Any, rules: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Hold the properties whose name matches a pattern to its schema."""
    for pattern, rule in rules.items() if isinstance(instance, dict) else ():
        for name, value in instance.items():
            if found(pattern, name):
                yield from validator.descend(value, rule, path=name, schema_path=pattern)


def additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Hold the properties that neither `properties` nor `patternProperties` names to a schema."""
    known, patterns = schema.get("properties", ()), schema.get("patternProperties", ())
    others = [name for name in instance if name not in known] if isinstance(instance, dict) else []
    others = [name for name in others if not any(found(each, name) for each in patterns)]
    if isinstance(rule, dict):
        for name in others:
            yield from validator.descend(instance[name], rule, path=name)
    elif others and rule is False:
        yield ValidationError(f"there is no key {names(others)}")


def required(validator: Any, needed: list[str], instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Name each key that is missing."""
    for name in needed if isinstance(instance, dict) else ():
        if name not in instance:
            yield ValidationError(f"{shown(name)} is missing")


def dependent_required(validator: Any, rules: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Name each key that is missing where another is given."""
    for key, needed in rules.items() if isinstance(instance, dict) else ():
        for name in needed if key in instance else ():
            if name not in instance:
                yield ValidationError(f"{shown(name)} is missing, which {shown(key)} needs")


def first_fitting(check: Check) -> Check:
    """Wrap `anyOf` and `oneOf`, which make a message that shows the whole value for each `false` among the schemas."""

    def checked(validator: Any, rules: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        if never := sum(rule is False for rule in rules):
            spend(never * (1 + len(repr(instance)) // LETTERS_PER_UNIT))
        return check(validator, rules, instance, schema)

    return checked


def unique_items(validator: Any, is_unique: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Compare as JSON text, for which 1, 1.0 and true are three values."""
    spend(len(instance) // ITEMS_PER_UNIT if isinstance(instance, list) else 0)
    if is_unique and isinstance(instance, list) and len({canonical(each) for each in instance}) < len(instance):
        yield ValidationError(f"{shown(instance)} has the same item twice")


def enum(validator: Any, allowed: list[Any], instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Compare as JSON text, for which 1, 1.0 and true are three values."""
    spend(len(allowed) // 10)
    if canonical(instance) not in {canonical(each) for each in allowed}:
        yield ValidationError(f"{shown(instance)} is not one of {shown(allowed, 500)}")


def const(validator: Any, only: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Compare as JSON text, for which 1, 1.0 and true are three values."""
    if canonical(instance) != canonical(only):
        yield ValidationError(f"{shown(instance)} is not {shown(only, 500)}")


def canonical(value: Any) -> bytes:
    """Return a value as JSON text, keys sorted. Raises TooMuchWork."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    spend(len(text) // BYTES_PER_UNIT)
    return text


def sized(check: Check, size: str, kind: type[list] | type[dict] | type[str]) -> Check:
    """Wrap a keyword's check so that what is too large is not looked into; its size is the fault to tell."""

    def checked(validator: Any, rule: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        if isinstance(instance, kind) and len(instance) > schema.get(size, len(instance)):
            return ()
        return check(validator, rule, instance, schema) or ()

    return checked


def metered(keyword: str, check: Check, units: int) -> Check:
    """Wrap a keyword's check so that its work is counted, and its messages are our own. Raises TooMuchWork."""
    is_ours = keyword in OWN

    def checked(validator: Any, rule: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        spend(units + (len(instance) // ITEMS_PER_UNIT if isinstance(instance, list | dict) else 0))
        for fault in check(validator, rule, instance, schema) or ():
            spend(len(fault.message) // LETTERS_PER_UNIT)
            if fault.validator is None:  # of the schema `false`
                fault.message = f"{shown(fault.instance)} is not allowed here"
            elif not is_ours and not isinstance(fault.schema, Mapping | bool):  # new, not passed on from inside
                fault.message = sentence(keyword, rule, instance)
            yield fault

    return checked


OWN: Mapping[str, Check] = {
    "pattern": pattern,
    "patternProperties": pattern_properties,
    "additionalProperties": additional_properties,
    "required": required,
    "dependentRequired": dependent_required,
    "uniqueItems": unique_items,
    "enum": enum,
    "const": const,
}


def keywords() -> dict[str, Check]:
    """Return the checks of all keywords, with those that differ from the library's."""
    checks = {**LIBRARY, **OWN, **{name: first_fitting(LIBRARY[name]) for name in ("anyOf", "oneOf")}}
    guarded = {name: sized(checks[name], size, kind) for size, (kind, names) in SIZES.items() for name in names}
    return {name: metered(name, check, 12 if name in FOLLOWED else 1) for name, check in (checks | guarded).items()}


Validator = extend(
    Draft202012Validator,
    keywords(),
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer),
)


@PATTERNS.checks("regex", raises=BadPattern)
def is_pattern(value: object) -> bool:
    """Tell whether a text is a regular expression that can be matched in linear time. Raises BadPattern saying why."""
    return not isinstance(value, str) or bool(compiled(value))


def renamed(uri: str) -> str:
    """Return the name of the copy of a part of the specification."""
    return uri.replace("json-schema.org", "copy.invalid")


def validator_of_schemas() -> Any:
    """Return the validator of schemas.

    It has copies of the specification under other names and without `$schema`, at which the library would change to its
    own class of validators.
    """
    copies = {}
    for uri in REGISTRY:
        if "/draft/2020-12/" in uri:
            draft = {key: value for key, value in REGISTRY.contents(uri).items() if key != "$schema"}
            copies[renamed(uri)] = draft | {"$id": renamed(uri)}
    registry = EMPTY_REGISTRY.with_contents(copies.items(), default_specification=DRAFT202012).crawl()
    return Validator(
        copies[renamed(Draft202012Validator.META_SCHEMA["$id"])], format_checker=PATTERNS, registry=registry
    )


SCHEMAS = validator_of_schemas()


def check_schema(schema: Any) -> None:
    """Refuse what is no JSON Schema, or one whose checking could take long. Raises SchemaError, TooMuchWork."""
    with limited_work(MAX_WORK):
        fault = best_match(islice(SCHEMAS.iter_errors(schema), MAX_FAULTS))
        if fault is not None:
            said = fault.cause.text if isinstance(fault.cause, BadPattern) else fault.message
            raise SchemaError(said, path=fault.absolute_path)
        for path, keyword in keys_in(schema, ()):
            if keyword in REFUSED:
                raise SchemaError(f"{keyword} is not supported", path=path)


def keys_in(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the keys inside a value, at any depth, each with the path that leads to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key), key
        yield from keys_in(item, (*path, key))


@FORMATS.checks("ipv4-network")
def is_ipv4_network(value: object) -> bool:
    """Tell whether a text is an IPv4 network such as `10.244.0.0/16`."""
    return not isinstance(value, str) or parses(ipaddress.IPv4Network, value)


@FORMATS.checks("bind-address")
def is_bind_address(value: object) -> bool:
    """Tell whether a text is an IP address with or without a minus in front, or `*`."""
    return not isinstance(value, str) or value == "*" or parses(ipaddress.ip_address, value.removeprefix("-"))


def parses(form: Callable[..., Any], text: str) -> bool:
    """Tell whether a text has a form of `ipaddress`, without an IPv6 zone."""
    options = {"strict": False} if form is ipaddress.IPv4Network else {}
    try:
        form(text, **options)
    except ValueError:
        return False
    return "%" not in text


@lru_cache(maxsize=128)
def validator(schema: bytes) -> Any:
    """Return the validator of a schema given as JSON text, which fetches nothing over the network."""
    return Validator(orjson.loads(schema), format_checker=FORMATS, registry=EMPTY_REGISTRY)


def faults_in(schema: Mapping[str, Any], value: Any) -> list[ValidationError]:
    """Return what breaks the schema, at most `MAX_FAULTS` of it. Raises TooMuchWork, BadPattern."""
    with limited_work(MAX_WORK):
        return list(islice(validator(orjson.dumps(schema)).iter_errors(value), MAX_FAULTS))
