"""What the error codes and HTTP statuses of EC2 mean; the codes are those of the EC2 API reference's "Error codes"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import OutcomeUnknown, ProviderError, TransientProviderError
from apps.providers.drivers.errors import CommonMappings, ErrorMapper, ErrorMapping, retry_after_seconds

CODE_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,99}")

COMMON = CommonMappings("AWS")
AUTH = ErrorMapping(
    ProviderError,
    "PROVIDER_AUTH",
    "AWS does not accept this account's credentials, or its region is not enabled for them.",
)
BILLING = ErrorMapping(
    ProviderError, "PROVIDER_BILLING", "AWS holds the account back: it is not verified, paid or signed up for this."
)
QUOTA = ErrorMapping(ProviderError, "PROVIDER_QUOTA", "The AWS account has reached one of its limits.")
# The order's token belongs to a machine that was made and terminated: the next order, under another token, may succeed.
ENDED = ErrorMapping(
    TransientProviderError, "PROVIDER_BUSY", "The machine that this order made is gone from AWS; it is ordered anew."
)
# The order's token was used for an order that read otherwise: a machine may well exist.
CHANGED = ErrorMapping(OutcomeUnknown, "PROVIDER_ANSWER_LOST", "AWS was asked before for this machine, in other words.")

ERRORS = ErrorMapper(
    cloud="AWS",
    by_code=(
        (
            r"RequestLimitExceeded|.*Throttl.*|TooManyRequests.*|SlowDown|BandwidthLimitExceeded",
            COMMON.rate_limited,
        ),
        (r"IdempotentInstanceTerminated", ENDED),
        (r"IdempotentParameterMismatch", CHANGED),
        (r"(Server\.)?Insufficient.+", COMMON.capacity),
        (r"PendingVerification|OptInRequired|Blocked|.*SubscriptionRequired.*", BILLING),
        (r".+LimitExceeded|ResourceCountExceeded|RequestResourceCountExceeded", QUOTA),
        (r"AuthFailure|.*InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|ExpiredToken.*", AUTH),
        (r"SignatureDoesNotMatch|IncompleteSignature|InvalidSignature.*|MissingAuthenticationToken.*", AUTH),
        (r"RequestExpired", AUTH),
        (r"UnauthorizedOperation|AccessDenied.*|OperationNotPermitted", COMMON.forbidden),
        (
            r"Incorrect.*State|VolumeInUse|ResourceInUse.*|DependencyViolation|Concurrent.+|InvalidState",
            COMMON.busy,
        ),
        (r"InvalidGroup\.NotFound", COMMON.busy),  # EC2 does not show at once the group that was found or made
        (r"InvalidInstanceID\.NotFound", COMMON.gone),
        (r"(Invalid|Missing|Unknown|Unsupported|Malformed|Default|VPC).*|.*NotFound|ValidationError", COMMON.invalid),
    ),
    by_status={
        400: COMMON.invalid,
        401: AUTH,
        403: COMMON.forbidden,
        405: COMMON.invalid,
        413: COMMON.invalid,
        429: COMMON.rate_limited,
    },
)


def refusal(answer: Mapping[str, Any], *, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Return the error for an answer that is no success; one that says nothing counts as lost.

    An answer without a code of EC2 may come from a proxy, which cannot know whether a machine was made.
    """
    problem, about = answer.get("Error") or {}, answer.get("ResponseMetadata") or {}
    status = about.get("HTTPStatusCode") or 0
    code = str(problem.get("Code") or "")
    code = code if CODE_SHAPE.fullmatch(code) else f"HTTP_{status}"
    request_id = re.sub(r"[^0-9A-Za-z-]", "", str(about.get("RequestId") or ""))[:64]
    facts = {**facts, "status": status, "cloud_code": code, "correlation_id": request_id}
    mapping = ERRORS.find(code, status)
    after = retry_after_seconds(str((about.get("HTTPHeaders") or {}).get("retry-after", "")))
    if mapping is None or (creating and code.startswith("HTTP_")):
        return ERRORS.lost(creating=creating, after=after, **facts)
    return mapping.make(code, after, facts)


def failure(error: Exception, *, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Return the error for an exception of botocore in place of an answer."""
    from botocore import exceptions

    facts = {**facts, "cause": type(error).__name__}
    not_sent = (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyConnectionError)
    if isinstance(error, not_sent):
        return ERRORS.unreachable(**facts)
    if isinstance(error, exceptions.ParamValidationError):
        return ProviderError(COMMON.invalid.code, COMMON.invalid.sentence, **facts)
    broken = (exceptions.HTTPClientError, exceptions.ConnectionError)
    if creating or not isinstance(error, broken):
        return ERRORS.lost(creating=creating, **facts)
    return ERRORS.unanswered(creating=False, **facts)
