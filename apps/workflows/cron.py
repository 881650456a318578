"""Cron expressions in a time zone, daylight saving time included. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from cronsim.explain import Expression

from apps.workflows.errors import BadCron, UnknownTimeZone

FIELDS, MAX_COUNTED = 5, 1000
NAMES = (("minute", "*/15"), ("hour", "2"), ("day", "1"), ("month", "1-6"), ("weekday", "1-5"))
# A range of one value with a step, such as 5-5/10, whose words leave out the step.
UNCLEAR = re.compile(r"\b0*(\w+)-0*\1/", re.IGNORECASE)
# What the library writes as 21th.
ORDINAL, ENDINGS = re.compile(r"(?<!1)([123])th\b"), {"1": "1st", "2": "2nd", "3": "3rd"}


def check_cron(cron: str, time_zone: str) -> None:
    """Refuse what is no cron expression, never comes, or is in no time zone. Raises BadCron, UnknownTimeZone."""
    if len(cron.split()) != FIELDS:  # a sixth would be seconds
        raise BadCron(cron=cron, why="wrong number of fields", field="cron")
    if next(times(cron, time_zone, datetime.now(UTC)), None) is None:
        raise BadCron(cron=cron, why="it names a time that never comes", field="cron")


def times(cron: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    """Yield the times after one, in UTC. Raises BadCron, UnknownTimeZone.

    A time that the clock leaps over in spring comes at the leap; one that it shows twice in autumn comes once.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZone(name=time_zone, field="time_zone") from error
    try:
        found = CronSim(cron, after.astimezone(zone))
    except CronSimError as error:
        raise BadCron(cron=cron[:100], why=reason(cron, after), field="cron") from error
    return (moment.astimezone(UTC) for moment in found)


def reason(cron: str, after: datetime) -> str:
    """Say which field of a bad cron expression cannot be read."""
    fields = cron.split()
    if len(fields) != FIELDS:
        return "wrong number of fields"
    for place, (name, example) in enumerate(NAMES):
        try:
            CronSim(" ".join("*" if other != place else field for other, field in enumerate(fields)), after)
        except CronSimError:
            return f"bad {name} {fields[place][:30]}; write such as {example}"
    return "its fields do not go together"


def in_words(cron: str) -> str:
    """Return a cron expression in words, such as `At 02:30 every day`; "" where no words say exactly that."""
    try:
        found = Expression(cron.upper().split())
    except (ValueError, IndexError):  # what was stored is no cron expression
        return ""
    # The days of month and of week are joined by "or" here, and one of them is every day.
    is_unclear = not found.day_and and (found.day.star or found.dow.star)
    if is_unclear or UNCLEAR.search(cron):
        return ""
    return ORDINAL.sub(lambda last: ENDINGS[last[1]], found.explain()).replace("day of month", "day of the month")


def next_time(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """Return the first time after one, in UTC; None when there is none."""
    return next(times(cron, time_zone, after), None)


def count_between(cron: str, time_zone: str, after: datetime, until: datetime) -> int:
    """Count the times after one and up to another, at most `MAX_COUNTED`."""
    within = takewhile(lambda moment: moment <= until, times(cron, time_zone, after))
    return sum(1 for _, _ in zip(range(MAX_COUNTED), within, strict=False))
