"""What EC2's refusals mean to us, decided by error code first and by HTTP status second, never by message text.

The codes are those of the EC2 API reference's "Error codes". An answer is read for its code and its request id only:
nothing else of it ends up in an error or a log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import Ambiguous, Refused, Transient

LONGEST_PAUSE = 60.0
CODE_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,99}")


@dataclass(frozen=True)
class Verdict:
    """One kind of refusal: the error to raise, its public code and its sentence."""

    error: type[Refused | Transient | Ambiguous]
    code: str
    sentence: str


AUTH = Verdict(
    Refused, "PROVIDER_AUTH", "AWS does not accept this account's credentials, or its region is not enabled for them."
)
BILLING = Verdict(
    Refused, "PROVIDER_BILLING", "AWS holds the account back: it is not verified, paid or signed up for this."
)
FORBIDDEN = Verdict(Refused, "PROVIDER_FORBIDDEN", "AWS does not allow this account to do that.")
QUOTA = Verdict(Refused, "PROVIDER_QUOTA", "The AWS account has reached one of its limits.")
CAPACITY = Verdict(Refused, "PROVIDER_CAPACITY", "AWS has no room for this in the zone; try another zone or plan.")
GONE = Verdict(Refused, "PROVIDER_NOT_FOUND", "The machine no longer exists at AWS.")
INVALID = Verdict(Refused, "PROVIDER_INVALID", "AWS does not accept the request as it stands.")
BUSY = Verdict(Transient, "PROVIDER_BUSY", "Something else is still happening to this at AWS.")
RATE_LIMITED = Verdict(Transient, "PROVIDER_RATE_LIMITED", "AWS asks for fewer requests.")
# The order's token belongs to a machine that has come and gone: this order came to nothing, the next one is another.
ENDED = Verdict(Transient, "PROVIDER_BUSY", "The machine that this order made is gone from AWS; it is ordered anew.")
# The order's token was used for an order that read otherwise: a machine may well exist.
CHANGED = Verdict(Ambiguous, "PROVIDER_ANSWER_LOST", "AWS was asked before for this machine, in other words.")

BY_CODE: tuple[tuple[str, Verdict], ...] = (
    (r"RequestLimitExceeded|.*Throttl.*|TooManyRequests.*|SlowDown|BandwidthLimitExceeded", RATE_LIMITED),
    (r"IdempotentInstanceTerminated", ENDED),
    (r"IdempotentParameterMismatch", CHANGED),
    (r"(Server\.)?Insufficient.+", CAPACITY),
    (r"PendingVerification|OptInRequired|Blocked|.*SubscriptionRequired.*", BILLING),
    (r".+LimitExceeded|ResourceCountExceeded|RequestResourceCountExceeded", QUOTA),
    (r"AuthFailure|.*InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|ExpiredToken.*", AUTH),
    (r"SignatureDoesNotMatch|IncompleteSignature|InvalidSignature.*|MissingAuthenticationToken.*|RequestExpired", AUTH),
    (r"UnauthorizedOperation|AccessDenied.*|OperationNotPermitted", FORBIDDEN),
    (r"Incorrect.*State|VolumeInUse|ResourceInUse.*|DependencyViolation|Concurrent.+|InvalidState", BUSY),
    (r"InvalidGroup\.NotFound", BUSY),  # the group is found or made just before: EC2 is slow to know what it made
    (r"InvalidInstanceID\.NotFound", GONE),
    (r"(Invalid|Missing|Unknown|Unsupported|Malformed|Default|VPC).*|.*NotFound|ValidationError", INVALID),
)
# A 404 without a code is missing here on purpose: it may come from something in between and proves nothing.
BY_STATUS: dict[int, Verdict] = {400: INVALID, 401: AUTH, 403: FORBIDDEN, 405: INVALID, 413: INVALID, 429: RATE_LIMITED}


def refusal(answer: Mapping[str, Any], *, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Turn an answer that is no success into the error to raise; one that says nothing counts as lost.

    What is not in EC2's own words may come from something in between, which cannot know whether a machine was made.
    """
    told, about = answer.get("Error") or {}, answer.get("ResponseMetadata") or {}
    status = about.get("HTTPStatusCode") or 0
    code = str(told.get("Code") or "")
    code = code if CODE_SHAPE.fullmatch(code) else f"HTTP_{status}"
    request_id = re.sub(r"[^0-9A-Za-z-]", "", str(about.get("RequestId") or ""))[:64]
    facts = {**facts, "status": status, "cloud_code": code, "correlation_id": request_id}
    verdict = next((v for pattern, v in BY_CODE if re.fullmatch(pattern, code)), None) or BY_STATUS.get(status)
    after = _pause(str((about.get("HTTPHeaders") or {}).get("retry-after", "")))
    is_ec2s = not code.startswith("HTTP_")
    if verdict is None or (creating and not is_ec2s):
        return lost(creating=creating, after=after, **facts)
    sentence = f"{verdict.sentence[:-1]} ({code})." if is_ec2s else verdict.sentence
    if verdict.error is Refused:
        return Refused(verdict.code, sentence, **facts)
    return verdict.error(verdict.code, sentence, after=after, **facts)


def failure(error: Exception, *, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Turn what came instead of an answer that can be read into the error to raise."""
    from botocore import exceptions

    facts = {**facts, "cause": type(error).__name__}
    not_sent = (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyConnectionError)
    if isinstance(error, not_sent):
        return Transient("PROVIDER_UNREACHABLE", "AWS cannot be reached.", **facts)
    if isinstance(error, exceptions.ParamValidationError):
        return Refused(INVALID.code, INVALID.sentence, **facts)
    broken = (exceptions.HTTPClientError, exceptions.ConnectionError)
    if creating or not isinstance(error, broken):
        return lost(creating=creating, **facts)
    return Transient("PROVIDER_UNREACHABLE", "AWS did not answer in time.", **facts)


def lost(*, creating: bool, after: float | None = None, **facts: Any) -> Transient | Ambiguous:
    """Tell that an answer says nothing usable: for a creation it may have happened, all else can be repeated."""
    if creating:
        sentence = "AWS was asked for a machine and its answer was lost."
        return Ambiguous("PROVIDER_ANSWER_LOST", sentence, after=after, **facts)
    return Transient("PROVIDER_UNAVAILABLE", "AWS did not give a usable answer.", after=after, **facts)


def incomplete(what: str, region: str) -> Transient:
    """Tell that a list does not add up, so that nothing may be concluded from it."""
    return Transient("PROVIDER_UNAVAILABLE", "AWS did not give a complete list.", list=what, region=region)


def code_of(error: StepError) -> str:
    """Give the cloud's own code of an error, empty when it had none."""
    return str(error.data.get("cloud_code") or "")


def _pause(retry_after: str) -> float | None:
    """Read a Retry-After header in seconds: 1 to 60, None when it is absent or something else."""
    if not re.fullmatch(r"[0-9]{1,9}", retry_after):
        return None
    return min(max(float(retry_after), 1.0), LONGEST_PAUSE)
