"""Parameters, results and other nested values as lists of facts instead of JSON, secrets hidden."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString

from apps.system.admin.times import MOMENT, ago
from apps.system.redaction import redact

MAX_ITEMS, LONGEST_TEXT, DEEPEST = 100, 2000, 6

Names = Mapping[str, SafeString | str]
# How the facts of a key are written for people, by key and type.
_wordings: dict[tuple[str, type], Callable[[Any], str]] = {}


def register_fact_wording(key: str, wording: Callable[[Any], str], *, of: type = str) -> None:
    """Set how facts of a key are written, where they are of a type, such as the provider `upcloud`."""
    _wordings[key, of] = wording


def facts(value: Any, names: Names | None = None) -> SafeString | str:
    """Show a value of JSON for people: keys in words, lists as lists, times relative; `names` replace texts."""
    return shown(redact(value), 0, names or {})


def shown(value: Any, depth: int, names: Names) -> SafeString | str:
    """Show one value."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return pairs(value, depth, names)
    if isinstance(value, list):
        return items(value, depth, names)
    return names.get(str(value)) or text(str(value))


def text(given: str) -> SafeString | str:
    """Show a text, a time as how long ago it was; what is very long is cut."""
    if MOMENT.fullmatch(given):
        return ago(datetime.fromisoformat(given))
    cut = given if len(given) <= LONGEST_TEXT else given[:LONGEST_TEXT] + " … cut"
    return format_html('<span class="c-text">{}</span>', cut) if "\n" in cut else cut


def pairs(value: Mapping[str, Any], depth: int, names: Names) -> SafeString:
    """Show an object; what is empty in it says nothing."""
    told = [(key, item) for key, item in value.items() if item not in (None, "", [], {})]
    rows = [
        (in_words(without_id(str(key), item, names)), shown(worded(str(key), item), depth + 1, names))
        for key, item in told[:MAX_ITEMS]
    ]
    if not told:
        return SafeString("-")
    more = len(told) - len(rows)
    rows += [("…", f"and {more:,} more")] if more > 0 else []
    return format_html('<dl class="c-facts">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))


def worded(key: str, value: Any) -> Any:
    """Return a value as people call it."""
    wording = _wordings.get((key, type(value)))
    return wording(value) if wording else value


def without_id(key: str, value: Any, names: Names) -> str:
    """Return a key without `_id` where a name stands for the id."""
    return key.removesuffix("_id") if isinstance(value, str) and value in names else key


def items(value: list[Any], depth: int, names: Names) -> SafeString | str:
    """Show a list: short texts in one line, anything else one below the other."""
    found = [shown(item, depth + 1, names) for item in value[:MAX_ITEMS]]
    more = len(value) - len(found)
    found += [f"and {more:,} more"] if more > 0 else []
    if not any(isinstance(item, (list, dict)) for item in value) and len(strip_tags("".join(found))) < 120:
        return format_html_join(", ", "{}", ((item,) for item in found))
    return format_html('<ul class="c-list">{}</ul>', format_html_join("", "<li>{}</li>", ((item,) for item in found)))


def in_words(key: str) -> str:
    """Write a key as words: `ip_address` is `IP address`."""
    words = key.replace("_", " ").strip()
    for short in ("id", "ip", "ssh", "tls", "cpu", "cpus", "url", "dns", "mb", "gb", "mib", "gib"):
        words = re.sub(rf"\b{short}\b", short.upper() if short not in ("cpus", "mib", "gib") else short, words)
    return words[:1].upper() + words[1:]
