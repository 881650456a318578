"""Lines of the dashboard that ask somebody to look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attention:
    """Something that needs somebody: what, how many, 0 for what is one by its name, and where it is listed."""

    text: str
    count: int
    address: str
    level: str = "warning"
