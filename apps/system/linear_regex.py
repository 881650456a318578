"""Regular expressions that clients write: matched by RE2, whose time grows linearly with the text."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from apps.system.work_limit import spend

if TYPE_CHECKING:
    import re2

MAX_LENGTH = 500
MAX_MEMORY = 1 << 18  # bytes; RE2 refuses a pattern whose program needs more
STEPS_PER_UNIT = 3000  # of RE2's slowest matcher, in a unit of work
COMPILED_PER_UNIT = 10  # instructions
REFUSED = 1000  # units that a pattern takes which is refused for its size
# How RE2's word for a fault begins, and what we say of it. The first that fits counts.
FAULTS = (
    ("invalid perl operator: (?=", "it looks ahead, which is not supported; write what is to match instead"),
    ("invalid perl operator: (?!", "it looks ahead, which is not supported; write what is to match instead"),
    ("invalid perl operator: (?<", "it looks behind, which is not supported; write what is to match instead"),
    ("invalid perl operator", "it has a group of a kind that is not supported; use ( ), (?: ) or (?i)"),
    ("invalid escape sequence", "it has an escape that is not supported, such as a reference to a group; leave it out"),
    ("missing )", "a ( is not closed; add the )"),
    ("unexpected )", r"a ) closes nothing; remove it, or write \)"),
    ("missing ]", r"a [ is not closed; add the ], or write \["),
    ("invalid character class", "it has a range or class of characters that does not exist; write such as [a-z]"),
    ("no argument for repetition", r"a *, +, ? or { repeats nothing; put something before it, or write \*"),
    (
        "bad repetition",
        "it has two repetitions in a row, or a possessive one, which is not supported; use one of *, + and ?",
    ),
    ("invalid repetition size", "it repeats something more than 1000 times, or more often at least than at most"),
    ("trailing", r"it ends with a single \; remove it, or write \\"),
    ("invalid named capture", "it has a group with a bad name; write (?P<name>…)"),
    ("pattern too large", "it needs too much memory; use fewer or smaller repetitions"),
)


class BadPattern(ValueError):
    """A text cannot be used as a regular expression; `text` says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re2._Regexp:
    """Return a pattern, compiled. Raises BadPattern for one that RE2 cannot use, TooMuchWork."""
    import re2  # few processes use it

    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"a regular expression of more than {MAX_LENGTH} characters; write a shorter one")
    spend(10 + 5 * len(pattern))
    options = re2.Options()
    options.log_errors, options.never_capture, options.max_mem = False, True, MAX_MEMORY
    try:
        regex = re2.compile(encoded(pattern), options)
        spend(regex.programsize // COMPILED_PER_UNIT)
        return regex
    except re2.error as error:
        spend(REFUSED)
        said = f"{pattern[:100]!r} cannot be used as a regular expression: {reason(error)}"
        raise BadPattern(said) from error


def reason(error: re2.error) -> str:
    """Say in our own words what RE2 refuses, and what to do."""
    told = error.args[0] if error.args else b""
    word = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    sentences = (sentence for start, sentence in FAULTS if word.startswith(start))
    return next(sentences, "it cannot be read; write it in the syntax of RE2")


def found(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found anywhere in a text; its `$` is the very end. Raises BadPattern, TooMuchWork."""
    regex = compiled(pattern)
    data = encoded(text)
    spend(1 + len(data) * regex.programsize // STEPS_PER_UNIT)
    return regex.search(data) is not None


def encoded(text: str) -> bytes:
    """Return a text in UTF-8; what that cannot hold becomes a question mark."""
    return text.encode(errors="replace")
