"""Cron expressions in words: for whatever schedules accept, and saying when they really come."""

from datetime import UTC, datetime

import pytest
from cronsim import CronSim, CronSimError
from cronsim.explain import Expression
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.workflows.cron import in_words

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
NUMBERED = st.tuples(st.sampled_from([*WEEKDAYS, *"01234567"]), st.integers(1, 5)).map(lambda of: f"{of[0]}#{of[1]}")
LAST = st.integers(0, 7).map(lambda day: f"{day}L")


def field(names, *, special=None):
    """One field of an expression: lists of values, ranges, stars and special values, with and without steps."""
    ranges = st.tuples(*[st.integers(0, len(names) - 1)] * 2).map(lambda of: f"{names[min(of)]}-{names[max(of)]}")
    plain = st.one_of(st.just("*"), st.sampled_from(names), ranges)
    base = plain if special is None else st.one_of(plain, special)
    stepped = st.tuples(base, st.integers(1, 70)).map(lambda of: f"{of[0]}/{of[1]}")
    return st.lists(st.one_of(base, stepped), min_size=1, max_size=4).map(",".join)


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


MINUTES, HOURS = field(numbers(0, 59)), field(numbers(0, 23))
DAYS = field(numbers(1, 31), special=st.sampled_from(["L", "LW", "lw"]))
IN_MONTHS = st.one_of(field(numbers(1, 12)), field(MONTHS))
ON_WEEKDAYS = st.one_of(field(numbers(0, 7), special=st.one_of(NUMBERED, LAST)), field(WEEKDAYS))
EXPRESSIONS = st.tuples(MINUTES, HOURS, DAYS, IN_MONTHS, ON_WEEKDAYS).map(" ".join)


def values(field):
    """Return the values that the words of a field tell."""
    found = set()
    for part in field.parsed:
        first = field.min_value if part.start is None else part.start
        last = field.max_value if part.stop is None else part.stop
        if part.nth is None:
            found |= set(range(first, last + 1, part.step))
        elif field.name == "day of month":
            found.add({-1: CronSim.LAST, -2: CronSim.LAST_WEEKDAY}[first])
        else:
            found.add((first, CronSim.LAST if part.nth == -1 else part.nth))
    return found


@given(EXPRESSIONS)
@settings(deadline=None, max_examples=500)
def test_the_words_of_each_usable_expression_tell_its_times(cron):
    try:
        found = CronSim(cron, datetime.now(UTC))
    except CronSimError:
        return
    if not in_words(cron):
        return
    told = Expression(cron.upper().split())
    fields = (told.minute, told.hour, told.day, told.month, told.dow)
    assert [values(each) for each in fields] == [
        found.minutes,
        found.hours,
        found.days,
        found.months,
        found.weekdays,
    ]
    assert told.day_and == found.day_and
    assert found.day_and or not (told.day.star or told.dow.star)


@given(st.integers(0, 59), st.integers(0, 23))
@settings(deadline=None)
def test_they_tell_the_time_of_day_by_24_hours(minute, hour):
    assert in_words(f"{minute} {hour} * * *") == f"At {hour:02}:{minute:02} every day"


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 3 * * 1", "At 03:00 on Monday"),
        ("30 2 * * mon-fri", "At 02:30 on Monday through Friday"),
        ("0 0 1 1 *", "At 00:00 on January 1"),
        ("0 3 21,22,23 * MON", "At 03:00 on the 21st, the 22nd, and the 23rd day of the month and on Monday"),
        ("0 3 11 * *", "At 03:00 on the 11th day of every month"),
        ("0 3 */2 * 1", "At 03:00 on every second day of the month if it's on Monday"),
        ("*/15 9-17 * * *", "Every 15th minute from 09:00 through 17:59"),
        ("0 3 LW * *", "At 03:00 on the last weekday of every month"),
    ],
)
def test_they_are_plain_english(cron, words):
    assert in_words(cron) == words


@pytest.mark.parametrize(
    "cron",
    [
        "0 3 1-31 * 1",  # each day, or on Monday
        "0 3 1 * 0-7",
        "5-5/10 3 * * *",  # at 5, 15, 25 and so on
        "05-5/10 3 * * *",
        "0 3 * jan-JAN/3 *",
        "soon",
        "1 2 3 4 often",
    ],
)
def test_they_are_left_out_where_they_would_mislead(cron):
    assert in_words(cron) == ""
