"""What Hetzner's refusals mean to us, decided by error code first and by HTTP status second, never by message text.

An answer is read for its code only: nothing else of it ends up in an error or a log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import Ambiguous, Refused, Transient

LONGEST_PAUSE = 60.0
CODE_SHAPE = re.compile(r"[a-z][a-z0-9_]{1,99}")


@dataclass(frozen=True)
class Verdict:
    """One kind of refusal: the error to raise, its public code and its sentence."""

    error: type[Refused | Transient]
    code: str
    sentence: str


AUTH = Verdict(Refused, "PROVIDER_AUTH", "Hetzner does not accept the token of this account.")
FORBIDDEN = Verdict(Refused, "PROVIDER_FORBIDDEN", "Hetzner does not allow this account to do that.")
QUOTA = Verdict(Refused, "PROVIDER_QUOTA", "The Hetzner project has reached one of its limits.")
CAPACITY = Verdict(Refused, "PROVIDER_CAPACITY", "Hetzner has no room for this in the zone; try another zone or plan.")
GONE = Verdict(Refused, "PROVIDER_NOT_FOUND", "The machine no longer exists at Hetzner.")
INVALID = Verdict(Refused, "PROVIDER_INVALID", "Hetzner does not accept the request as it stands.")
BUSY = Verdict(Transient, "PROVIDER_BUSY", "Something else is still happening to this at Hetzner.")
RATE_LIMITED = Verdict(Transient, "PROVIDER_RATE_LIMITED", "Hetzner asks for fewer requests.")
MAINTENANCE = Verdict(Transient, "PROVIDER_UNAVAILABLE", "Hetzner is in maintenance.")

BY_CODE: dict[str, Verdict] = {
    "unauthorized": AUTH,
    "forbidden": FORBIDDEN,
    "token_readonly": FORBIDDEN,
    "protected": FORBIDDEN,
    "resource_limit_exceeded": QUOTA,
    "resource_unavailable": CAPACITY,
    "placement_error": CAPACITY,
    "not_found": GONE,
    "invalid_input": INVALID,
    "invalid_server_type": INVALID,
    "json_error": INVALID,
    "unsupported_error": INVALID,
    "uniqueness_error": INVALID,
    "locked": BUSY,
    "conflict": BUSY,
    "rate_limit_exceeded": RATE_LIMITED,
    "maintenance": MAINTENANCE,
}
# A 404 without a code is missing here on purpose: it may come from something in between and proves nothing.
BY_STATUS: dict[int, Verdict] = {
    400: INVALID,
    401: AUTH,
    403: FORBIDDEN,
    409: BUSY,
    413: INVALID,
    422: INVALID,
    423: BUSY,
    429: RATE_LIMITED,
}


def refusal(
    status: int, said: str | int, headers: Mapping[str, str], *, creating: bool, facts: Mapping[str, Any]
) -> StepError:
    """Turn an answer that is no success into the error to raise; one that says nothing counts as lost.

    A name that is taken is, for a creation, the machine that an order of ours made whose answer was lost.
    """
    code = said if isinstance(said, str) and CODE_SHAPE.fullmatch(said) else f"HTTP_{status}"
    facts = {**facts, "status": status, "cloud_code": code}
    verdict = BY_CODE.get(code) or BY_STATUS.get(status)
    if verdict is None or (creating and code == "uniqueness_error"):
        return lost(creating=creating, after=pause(headers), **facts)
    if creating and verdict is GONE:
        verdict = INVALID
    sentence = verdict.sentence if code.startswith("HTTP_") else f"{verdict.sentence[:-1]} ({code})."
    if verdict.error is Refused:
        return Refused(verdict.code, sentence, **facts)
    return Transient(verdict.code, sentence, after=pause(headers), **facts)


def pause(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, 1 to 60 s: Retry-After or, once nothing remains, until RateLimit-Reset; else None."""
    asked = headers.get("Retry-After", "")
    reset = headers.get("RateLimit-Reset", "") if headers.get("RateLimit-Remaining") == "0" else ""
    if re.fullmatch(r"[0-9]{1,9}", asked):
        seconds = float(asked)
    elif re.fullmatch(r"[0-9]{1,12}", reset):
        seconds = float(reset) - time.time()
    else:
        return None
    return min(max(seconds, 1.0), LONGEST_PAUSE)


def unreachable(**facts: Any) -> Transient:
    """Tell that no connection came about, so nothing was sent."""
    return Transient("PROVIDER_UNREACHABLE", "Hetzner cannot be reached.", **facts)


def unanswered(*, creating: bool, **facts: Any) -> Transient | Ambiguous:
    """Tell that a request was sent and the connection ended, or time ran out, before the answer was read."""
    if creating:
        return lost(creating=True, **facts)
    return Transient("PROVIDER_UNREACHABLE", "Hetzner did not answer in time.", **facts)


def lost(*, creating: bool, after: float | None = None, **facts: Any) -> Transient | Ambiguous:
    """Tell that an answer says nothing usable: for a creation it may have happened, all else can be repeated."""
    if creating:
        sentence = "Hetzner was asked for a machine and its answer was lost."
        return Ambiguous("PROVIDER_ANSWER_LOST", sentence, after=after, **facts)
    return Transient("PROVIDER_UNAVAILABLE", "Hetzner did not give a usable answer.", after=after, **facts)


def incomplete(what: str) -> Transient:
    """Tell that a list does not add up, so that nothing may be concluded from it."""
    return Transient("PROVIDER_UNAVAILABLE", "Hetzner did not give a complete list.", list=what)
