"""What a plan consists of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Submit:
    """Start a step with this input."""

    step: str
    uses: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Retry(Submit):
    """Start a failed step again, with the input it had."""


@dataclass(frozen=True)
class Skip:
    """End a waiting step without starting it."""

    step: str
    reason: str


@dataclass(frozen=True)
class Refuse:
    """Fail a waiting step that cannot even be started."""

    step: str
    error: str


@dataclass(frozen=True)
class Stop:
    """Ask a step's operation to stop and undo itself; with an error, the step then counts as failed by it."""

    step: str
    error: str = ""


@dataclass(frozen=True)
class Rollback:
    """Start the operation that takes back what a step made."""

    step: str
    kind: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Wait:
    """Nothing more to do for so many seconds, or until one of these steps' operations ends."""

    seconds: float
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Finish:
    """All is done."""

    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Fail:
    """It has failed, and what was to be done about that is done."""

    code: str
    message: str


Action = Submit | Skip | Refuse | Stop | Rollback | Wait | Finish | Fail
