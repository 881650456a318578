"""Stacked bars as numbers for a drawing: operations by outcome over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.operations.models import Operation
from apps.system.admin import list_of

WIDTH, HEIGHT, GAP, FEW = 600, 120, 0.25, 10
BAR = '<a href="{0}" aria-label="{1}"><title>{1}</title>{2}</a>'
PIECE = '<rect class="c-bar-{}" x="{}" y="{}" width="{}" height="{}"></rect>'


@dataclass(frozen=True)
class Bar:
    """One span of time: how many operations came to each outcome, and the list of that day's."""

    label: str
    day: str
    counts: dict[str, int]
    address: str

    @classmethod
    def of(cls, label: str, day: str, counts: dict[str, int]) -> Bar:
        """Make a bar that leads to the operations of its day."""
        return cls(label, day, counts, list_of(Operation, created_at_from=day, created_at_to=day))

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def title(self) -> str:
        """The tooltip."""
        parts = ", ".join(f"{count} {state}" for state, count in self.counts.items() if count)
        return f"{self.day} {self.label}: {parts or 'none'}"


@dataclass
class Chart:
    """Bars beside each other."""

    title: str
    bars: list[Bar]

    @cached_property
    def most(self) -> int:
        """The number of the highest bar."""
        return max([bar.total for bar in self.bars], default=0)

    @property
    def totals(self) -> dict[str, int]:
        """How many came to each outcome in all."""
        states = self.bars[0].counts if self.bars else {}
        return {state: sum(bar.counts[state] for bar in self.bars) for state in states}

    @property
    def drawn(self) -> SafeString:
        """The bars, each a link to its list."""
        step = WIDTH / max(len(self.bars), 1)
        bars = [(bar, self.pieces(bar, number * step, step)) for number, bar in enumerate(self.bars) if bar.total]
        return format_html_join("", BAR, ((bar.address, bar.title, pieces) for bar, pieces in bars))

    def pieces(self, bar: Bar, x: float, step: float) -> SafeString:
        """Draw the outcomes of a bar, from the ground up."""
        found, y = [], float(HEIGHT)
        for state, count in bar.counts.items():
            height = max(HEIGHT * count / self.most, 2.0) if count else 0.0
            y -= height
            if count:
                numbers = (x + step * GAP / 2, y, step * (1 - GAP), height)
                found.append((state, *(f"{number:.1f}" for number in numbers)))
        return format_html_join("", PIECE, found)

    @property
    def labels(self) -> list[str]:
        """What is written below: each bar's label where there are few, else every fourth."""
        return [bar.label for bar in self.bars[:: 1 if self.is_labeled_whole else 4]]

    @property
    def is_labeled_whole(self) -> bool:
        """Whether each bar has its label."""
        return len(self.bars) < FEW
