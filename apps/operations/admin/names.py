"""Names for people: what an operation does and to what, without ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import registry
from apps.operations.models import Operation

# What the first part of a target means: the apps above give a function from keys to names, one query for all of them.
Namer = Callable[[Iterable[str]], dict[str, str]]
_namers: dict[str, Namer] = {}
_former: dict[str, Namer] = {}
_id_heads: dict[str, str] = {}
# Kinds whose operations have a better title than their kind's, by the operation's id.
Titler = Callable[[Sequence[Operation]], dict[Any, str]]
_titlers: dict[str, Titler] = {}

UUID_TEXT = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ID = re.compile(r"([a-z]{3}-)[a-z0-9]{1,60}")
THING = re.compile(
    r"\b(?:a|an) (?:orphaned machine|server|machine|taskserv|installation|account|provider|workflow|cluster)\b"
)


def register_target_names(prefix: str, namer: Namer, *, ids: str = "") -> None:
    """Add a function that names the targets with a prefix, by what stands behind it.

    Where that is an id that appears in parameters and results too, `ids` is how it begins, such as `srv-`.
    """
    _namers[prefix] = namer
    if ids:
        _id_heads[ids] = prefix


def register_former_names(prefix: str, namer: Namer) -> None:
    """Add a function that names those targets with a prefix that are gone; their names lead nowhere."""
    _former[prefix] = namer


def register_titles(kind: str, titler: Titler) -> None:
    """Add a function that titles operations of a kind, by their ids."""
    _titlers[kind] = titler


def give_names(operations: Iterable[Operation], *, targets: bool = False) -> None:
    """Give each operation `target_name` and `phrase`, with one query for each sort of target among them.

    With `targets`, those whose own parameters tell the name are looked for too, to know whether they are still there.
    """
    rows = list(operations)
    keys: dict[str, set[str]] = {}
    for row in rows:
        prefix, _, key = row.target.partition(":")
        if prefix in _namers and key and (targets or not known_name(row)):
            keys.setdefault(prefix, set()).add(key)
    names = {prefix: _namers[prefix](found) for prefix, found in keys.items()}
    former = {prefix: former_names(prefix, found - names[prefix].keys()) for prefix, found in keys.items()}
    titles: dict[Any, str] = {}
    for kind, titler in _titlers.items():
        if meant := [row for row in rows if row.kind == kind]:
            titles |= titler(meant)
    for row in rows:
        prefix, _, key = row.target.partition(":")
        name = names.get(prefix, {}).get(key)
        if key in keys.get(prefix, ()):
            row.target_is_gone = name is None  # type: ignore[attr-defined]
        name = known_name(row) or name or former.get(prefix, {}).get(key) or planned_name(row) or key
        row.target_name = name  # type: ignore[attr-defined]
        row.phrase = titles.get(row.pk) or phrase(row)  # type: ignore[attr-defined]


def former_names(prefix: str, keys: set[str]) -> dict[str, str]:
    """Return the names of what is gone, by key."""
    return _former[prefix](keys) if keys and prefix in _former else {}


def names_of_ids(*values: Any) -> dict[str, tuple[str, str]]:
    """Return prefix and name of what is known of the ids in values of JSON, by id; one query for each sort.

    The prefix of what is gone is empty.
    """
    found: dict[str, set[str]] = {}
    for text in texts_in(values):
        head = ID.fullmatch(text)
        if head and head[1] in _id_heads:
            found.setdefault(_id_heads[head[1]], set()).add(text)
    known: dict[str, tuple[str, str]] = {}
    for prefix, ids in found.items():
        there = _namers[prefix](ids)
        known |= {key: (prefix, name) for key, name in there.items()}
        known |= {key: ("", name) for key, name in former_names(prefix, ids - there.keys()).items()}
    return known


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a value of JSON, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def known_name(operation: Operation) -> str:
    """Return the name that the operation's own parameters know, also of what is gone or was never made."""
    params = operation.params if isinstance(operation.params, dict) else {}
    requested = params.get("wanted")
    for source in (params, requested if isinstance(requested, dict) else {}):
        for key in ("hostname", "name"):
            if isinstance(source.get(key), str):
                return source[key]
    return ""


def planned_name(operation: Operation) -> str:
    """Return the name of what a check without a target would make: that of the last part of its plan."""
    plan = operation.params.get("plan") if isinstance(operation.params, dict) else None
    last = plan[-1] if isinstance(plan, list) and plan else None
    return str(last.get("name", "")) if isinstance(last, dict) else ""


def target_name(operation: Operation) -> str:
    """Return the name of what an operation changes."""
    if not hasattr(operation, "target_name"):
        give_names([operation])
    return operation.target_name  # type: ignore[attr-defined]


def is_target_there(operation: Operation) -> bool:
    """Tell whether what an operation changes is still there."""
    if not hasattr(operation, "target_is_gone"):
        give_names([operation], targets=True)
    return bool(operation.target.partition(":")[2]) and not getattr(operation, "target_is_gone", False)


def title_of(operation: Operation) -> str:
    """Return what an operation does, such as `Create web-01`."""
    if not hasattr(operation, "phrase"):
        give_names([operation])
    return operation.phrase + (" (check only)" if operation.check_mode else "")  # type: ignore[attr-defined]


def kind_title(operation: Operation) -> str:
    """Return what operations of its kind do, in words."""
    return title_of_kind(operation.kind)


def title_of_kind(name: str) -> str:
    """Return what operations of a kind do, in words."""
    kind = registry.kinds().get(name)
    return kind.title if kind else name


def phrase(operation: Operation) -> str:
    """Put the target's name into the title of the kind."""
    return kind_phrase(operation.kind, operation.target_name)  # type: ignore[attr-defined]


def kind_phrase(kind: str, name: SafeString | str) -> SafeString | str:
    """Put a name, perhaps a link, into the title of a kind: `Delete a server` becomes `Delete web-01`."""
    title = title_of_kind(kind)
    if not name:
        return title
    found = THING.search(title)
    if found is None:
        return format_html("{}: {}", title, name) if isinstance(name, SafeString) else f"{title}: {name}"
    parts = title[: found.start()], name, title[found.end() :]
    return format_html("{}{}{}", *parts) if isinstance(name, SafeString) else "".join(parts)
