"""Refusals of a value that is none of those that may be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

MAX_NAMED, MAX_SHOWN = 20, 60


def not_one_of(value: Any, choices: Iterable[Any]) -> str:
    """Say that a value is none of the choices, and name the first of these."""
    names = [str(choice)[:MAX_SHOWN] for choice in islice(choices, MAX_NAMED + 1)]
    if not names:
        return "There is nothing to choose from."
    more = ", …" if len(names) > MAX_NAMED else ""
    return f"{str(value)[:MAX_SHOWN]} is not one of {', '.join(names[:MAX_NAMED])}{more}."
