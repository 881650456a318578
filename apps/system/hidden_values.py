"""Hiding declared secret values in texts, wherever they turn up."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from apps.system.redaction import HIDDEN

SHORTEST = 4  # a shorter value would be found in any text


class HiddenValues:
    """Replaces secret values in texts: as they are, and as JSON, URLs, shells and base64 write them."""

    def __init__(self, values: Iterable[Any]):
        forms = {form for value in values for text in texts_in(value) for form in forms_of(text)}
        self.forms = sorted(forms, key=len, reverse=True)

    def and_also(self, *others: Iterable[Any]) -> HiddenValues:
        """Return what hides these values and further ones."""
        more = HiddenValues(value for values in others for value in values)
        if not more.forms:
            return self
        more.forms = sorted({*self.forms, *more.forms}, key=len, reverse=True)
        return more

    def hide(self, value: Any) -> Any:
        """Return the value with the secrets in it hidden, keeping its shape."""
        if not self.forms:
            return value
        if isinstance(value, dict):
            return {key: self.hide(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(item) for item in value]
        if is_number(value):
            return HIDDEN if str(value) in self.forms else value
        return self.hide_text(value) if isinstance(value, str) else value

    def hide_text(self, text: str) -> str:
        """Return the text with the secrets in it hidden."""
        for form in self.forms:
            text = text.replace(form, HIDDEN)
        return text


def is_number(value: Any) -> bool:
    """Tell whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts and numbers of a value that are long enough to be recognized; of a key, its lines as well."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)
    elif is_number(value):
        yield from texts_in(str(value))
    elif isinstance(value, str) and len(value) >= SHORTEST:
        yield value
        yield from (line for line in value.splitlines() if len(line) >= 2 * SHORTEST)


def forms_of(text: str) -> Iterator[str]:
    """Yield how a text may be written."""
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield quote(text, safe="")
    yield text.replace("'", "'\"'\"'")
    yield base64.b64encode(text.encode(errors="replace")).decode()
    yield from base64_inside(text.encode(errors="replace"))


def base64_inside(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of data inside a longer text, such as `user:password`: the letters it alone decides."""
    for before in range(3):
        first, last = -(-8 * before // 6), 8 * (before + len(data)) // 6
        letters = base64.b64encode(bytes(before) + data).decode()[first:last]
        if len(letters) >= 2 * SHORTEST:
            yield letters


NOTHING = HiddenValues(())
