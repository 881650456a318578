"""What UpCloud's refusals mean to us, decided by error code first and by HTTP status second, never by message text.

Raw bodies are read for their code only: nothing else of an answer ends up in an error or a log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import Ambiguous, Refused, Transient

LONGEST_PAUSE = 60.0
CODE_SHAPE = re.compile(r"[A-Z][A-Z0-9_-]{1,99}")


@dataclass(frozen=True)
class Verdict:
    """One kind of refusal: the error to raise, its public code and its sentence."""

    error: type[Refused | Transient]
    code: str
    sentence: str
    after: float | None = None


AUTH = Verdict(Refused, "PROVIDER_AUTH", "UpCloud does not accept the credentials of this account.")
BILLING = Verdict(Refused, "PROVIDER_BILLING", "The UpCloud account has no credit left for this.")
FORBIDDEN = Verdict(Refused, "PROVIDER_FORBIDDEN", "UpCloud does not allow this account to do that.")
QUOTA = Verdict(Refused, "PROVIDER_QUOTA", "The UpCloud account has reached one of its limits.")
CAPACITY = Verdict(Refused, "PROVIDER_CAPACITY", "UpCloud has no room for this in the zone; try another zone or plan.")
GONE = Verdict(Refused, "PROVIDER_NOT_FOUND", "The machine no longer exists at UpCloud.")
INVALID = Verdict(Refused, "PROVIDER_INVALID", "UpCloud does not accept the request as it stands.")
BUSY = Verdict(Transient, "PROVIDER_BUSY", "Something else is still happening to this at UpCloud.")
RATE_LIMITED = Verdict(Transient, "PROVIDER_RATE_LIMITED", "UpCloud asks for fewer requests.")
CREATING = Verdict(Transient, "PROVIDER_RATE_LIMITED", "UpCloud is creating too many machines at once.", after=30.0)

BY_CODE: tuple[tuple[str, Verdict], ...] = (
    (r"SERVER_CREATING_LIMIT_REACHED", CREATING),
    (r"STORAGE_DEVICE_LIMIT_REACHED", INVALID),
    (r".+_LIMIT_REACHED", QUOTA),
    (r".+_RESOURCES_UNAVAILABLE", CAPACITY),
    (r".+_STATE_ILLEGAL|STORAGE_IN_USE|STORAGE_ATTACHED|DEVICE_ADDRESS_IN_USE", BUSY),
    (r"AUTHENTICATION_.+|UNAUTHORIZED_ADDRESS", AUTH),
    (r"INSUFFICIENT_CREDITS", BILLING),
    (r"TRIAL_.+|PLAN_.+_ILLEGAL|.+_FORBIDDEN", FORBIDDEN),
    (r"SERVER_NOT_FOUND", GONE),
    (r".+_NOT_FOUND|.+_ILLEGAL|.+_MISMATCH|METADATA_DISABLED_ON_CLOUD-INIT", INVALID),
    (r"MULTIPLE_TEMPLATES|PUBLIC_STORAGE_ATTACH|API_VERSION_.+", INVALID),
)
# A 404 without a code is missing here on purpose: it may come from something in between and proves nothing.
BY_STATUS: dict[int, Verdict] = {
    400: INVALID,
    401: AUTH,
    402: BILLING,
    403: FORBIDDEN,
    405: INVALID,
    406: INVALID,
    409: BUSY,
    413: INVALID,
    415: INVALID,
    422: INVALID,
    429: RATE_LIMITED,
}


def code_in(body: Any, status: int) -> str:
    """Find the error code in any of the shapes that UpCloud is known to answer, else `HTTP_<status>`."""
    said = body if isinstance(body, Mapping) else {}
    error = said.get("error") if isinstance(said.get("error"), Mapping) else {}
    kind = str(said.get("type") or "").rpartition("#")[2].removeprefix("ERROR_")
    for code in (error.get("error_code"), error.get("code"), kind):
        if isinstance(code, str) and CODE_SHAPE.fullmatch(code):
            return code
    return f"HTTP_{status}"


def refusal(status: int, code: str, *, retry_after: str, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Turn an answer that is no success into the error to raise; one that says nothing counts as lost."""
    verdict = next((v for pattern, v in BY_CODE if re.fullmatch(pattern, code)), None) or BY_STATUS.get(status)
    if verdict is None:
        return lost(creating=creating, after=pause(retry_after), **facts)
    sentence = verdict.sentence if code.startswith("HTTP_") else f"{verdict.sentence[:-1]} ({code})."
    if verdict.error is Refused:
        return Refused(verdict.code, sentence, **facts)
    return Transient(verdict.code, sentence, after=pause(retry_after) or verdict.after, **facts)


def pause(retry_after: str) -> float | None:
    """Read a Retry-After header in seconds: 1 to 60, None when it is absent or something else."""
    if not re.fullmatch(r"[0-9]{1,9}", retry_after):
        return None
    return min(max(float(retry_after), 1.0), LONGEST_PAUSE)


def unreachable(**facts: Any) -> Transient:
    """Tell that no connection came about, so nothing was sent."""
    return Transient("PROVIDER_UNREACHABLE", "UpCloud cannot be reached.", **facts)


def unanswered(*, creating: bool, **facts: Any) -> Transient | Ambiguous:
    """Tell that a request was sent and the connection ended, or time ran out, before the answer was read."""
    if creating:
        return lost(creating=True, **facts)
    return Transient("PROVIDER_UNREACHABLE", "UpCloud did not answer in time.", **facts)


def lost(*, creating: bool, after: float | None = None, **facts: Any) -> Transient | Ambiguous:
    """Tell that an answer says nothing usable: for a creation it may have happened, all else can be repeated."""
    if creating:
        sentence = "UpCloud was asked for a machine and its answer was lost."
        return Ambiguous("PROVIDER_ANSWER_LOST", sentence, after=after, **facts)
    return Transient("PROVIDER_UNAVAILABLE", "UpCloud did not give a usable answer.", after=after, **facts)


def incomplete(what: str) -> Transient:
    """Tell that a list does not add up, so that nothing may be concluded from it."""
    return Transient("PROVIDER_UNAVAILABLE", "UpCloud did not give a complete list.", list=what)
