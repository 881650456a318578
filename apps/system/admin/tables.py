"""What stands around the fields of a row's page: tables and buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows below a page's fields, for those who hold `permission`.

    Cells may be safe HTML, `more` is the address of the whole list.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: str = ""
    more_text: str = "Show all"
    empty: str = "None."
    permission: str = ""


@dataclass(frozen=True)
class Button:
    """An action of the list, offered on a row's own page too; with a `warning` it asks once more.

    One that takes nothing away `is_safe`.
    """

    action: str
    label: str
    warning: str = ""
    is_safe: bool = False


@dataclass(frozen=True)
class PageLink:
    """A button that leads to another page, for those who hold `permission`; `is_last` puts it behind all others.

    With `is_posted` the page is asked for by POST, as what it shows is recorded.
    """

    label: str
    address: str
    permission: str = ""
    primary: bool = False
    is_last: bool = False
    is_posted: bool = False


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row, and what to do next; `level` is `error`, `warning` or `info`.

    Those who lack `permission` are not told what to do next.
    """

    title: str
    text: str = ""
    next_step: str = ""
    level: str = "error"
    permission: str = ""
