"""Names for people: what an operation does and to what, without ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations import registry
from apps.operations.admin.name_rows import NamedRows, read_names
from apps.operations.models import Operation

# What the first part of a target means: the apps above give rows, or a function from keys to names.
Namer = Callable[[Iterable[str]], dict[str, str]]
_namers: dict[str, Namer | NamedRows] = {}
_former: dict[str, NamedRows] = {}
_id_heads: dict[str, str] = {}
# Kinds whose operations have a better title than their kind's, by the operation's id.
Titler = Callable[[Sequence[Operation]], dict[Any, str]]
_titlers: dict[str, Titler] = {}

FORMER = "former "
UUID_TEXT = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ID = re.compile(r"([a-z]{3}-)[a-z0-9]{1,60}")
THING = re.compile(
    r"\b(?:a|an) (?:orphaned machine|server|machine|taskserv|installation|account|provider|workflow|cluster)\b"
)


def register_target_names(prefix: str, names: Namer | NamedRows, *, ids: str = "") -> None:
    """Set what names the targets with a prefix, by what stands behind it: rows, or a function with a query of its own.

    Where that is an id that appears in parameters and results too, `ids` is how it begins, such as `srv-`.
    """
    _namers[prefix] = names
    if ids:
        _id_heads[ids] = prefix


def register_former_names(prefix: str, rows: NamedRows) -> None:
    """Set the rows that name those targets with a prefix that are gone; their names lead nowhere."""
    _former[prefix] = rows


def register_titles(kind: str, titler: Titler) -> None:
    """Add a function that titles operations of a kind, by their ids."""
    _titlers[kind] = titler


def give_names(
    operations: Iterable[Operation], *, targets: bool = False, ids: Iterable[str] = ()
) -> dict[str, tuple[str, str]]:
    """Give each operation `target_name` and `phrase`, with one query for all targets that are rows.

    With `targets`, those whose own parameters tell the name are looked for too, to know whether they are still there.
    Returns prefix and name of what is known of other `ids`, by id; the prefix of what is gone is empty.
    """
    rows = list(operations)
    keys: dict[str, set[str]] = {}
    asked = {id: _id_heads[head[1]] for id in ids if (head := ID.fullmatch(id)) and head[1] in _id_heads}
    for id, prefix in asked.items():
        keys.setdefault(prefix, set()).add(id)
    for row in rows:
        prefix, _, key = row.target.partition(":")
        if prefix in _namers and key and (targets or not known_name(row)):
            keys.setdefault(prefix, set()).add(key)
    names, former = names_of(keys)
    titles: dict[Any, str] = {}
    for titler in dict.fromkeys(_titlers.values()):
        if meant := [row for row in rows if _titlers.get(row.kind) is titler]:
            titles |= titler(meant)
    for row in rows:
        prefix, _, key = row.target.partition(":")
        name = names.get(prefix, {}).get(key)
        if key in keys.get(prefix, ()):
            row.target_is_gone = name is None  # type: ignore[attr-defined]
        name = known_name(row) or name or former.get(prefix, {}).get(key) or planned_name(row) or key
        row.target_name = name  # type: ignore[attr-defined]
        row.phrase = titles.get(row.pk) or phrase(row)  # type: ignore[attr-defined]
    there = {id: (prefix, names[prefix][id]) for id, prefix in asked.items() if id in names[prefix]}
    return {id: ("", former[prefix][id]) for id, prefix in asked.items() if id in former[prefix]} | there


def names_of(keys: dict[str, set[str]]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Return the names of targets by prefix and key: of those that are there, and of those that are gone."""
    by_itself = {prefix: namer(keys[prefix]) for prefix in keys if not isinstance(namer := _namers[prefix], NamedRows)}
    rows = {prefix: (named, keys[prefix]) for prefix in keys if isinstance(named := _namers[prefix], NamedRows)}
    gone = {f"{FORMER}{prefix}": (_former[prefix], keys[prefix]) for prefix in keys if prefix in _former}
    found = read_names({**rows, **gone})
    return by_itself | {prefix: found[prefix] for prefix in rows}, {
        prefix: found.get(f"{FORMER}{prefix}", {}) for prefix in keys
    }


def names_of_ids(*values: Any) -> dict[str, tuple[str, str]]:
    """Return prefix and name of what is known of the ids in values of JSON, by id; one query.

    The prefix of what is gone is empty.
    """
    return give_names([], ids=texts_in(values))


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
