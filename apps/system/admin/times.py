"""Times and durations for people: how long ago, with the exact time on hover."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString

UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

# Times as our messages write them.
MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def ago(moment: datetime | None, *, empty: str = "-") -> SafeString | str:
    """Show a time as `3 minutes ago` or `in 2 days`; the script of the console keeps it true."""
    if moment is None:
        return empty
    exact = localize(moment)
    return format_html(
        '<time class="c-ago" datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, relative(moment)
    )


def relative(moment: datetime) -> str:
    """Say how far a time is from now, in its largest unit."""
    seconds = (timezone.now() - moment).total_seconds()
    size = abs(seconds)
    if size < 5:
        return "just now"
    count, unit = next((int(size // length), unit) for length, unit in UNITS if size >= length)
    text = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def duration(span: timedelta | float | None) -> str:
    """Say how long something took, in its two largest units; takes seconds or a timedelta."""
    if span is None:
        return "-"
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def exact_times(text: str) -> str:
    """Write the times in a message as `2026-12-31 22:00 UTC`."""
    return MOMENT.sub(lambda found: exact(datetime.fromisoformat(found[0])), text)


def told_times(text: str) -> str:
    """Write the times in a message as `2026-12-31 22:00 UTC (in 3 days)`; for messages that are about the present."""

    def told(found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(found[0])
        return f"{exact(moment)} ({relative(moment)})"

    return MOMENT.sub(told, text)


def exact(moment: datetime) -> str:
    """Write a time in UTC, its seconds only where there are any."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if moment.second else ''}} UTC"
