"""Cron expressions in a time zone, daylight saving time included. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from apps.workflows.errors import BadCron, UnknownTimeZone

FIELDS, MAX_COUNTED = 5, 1000
NAMES = (("minute", "*/15"), ("hour", "2"), ("day", "1"), ("month", "1-6"), ("weekday", "1-5"))


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


def next_time(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """Return the first time after one, in UTC; None when there is none."""
    return next(times(cron, time_zone, after), None)


def count_between(cron: str, time_zone: str, after: datetime, until: datetime) -> int:
    """Count the times after one and up to another, at most `MAX_COUNTED`."""
    within = takewhile(lambda moment: moment <= until, times(cron, time_zone, after))
    return sum(1 for _, _ in zip(range(MAX_COUNTED), within, strict=False))
