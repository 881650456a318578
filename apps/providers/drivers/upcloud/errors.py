"""What the error codes and HTTP statuses of UpCloud's API mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import ProviderError, TransientProviderError
from apps.providers.drivers.errors import CommonMappings, ErrorMapper, ErrorMapping, retry_after_seconds

CODE_SHAPE = re.compile(r"[A-Z][A-Z0-9_-]{1,99}")

COMMON = CommonMappings("UpCloud")
AUTH = ErrorMapping(ProviderError, "PROVIDER_AUTH", "UpCloud does not accept the credentials of this account.")
BILLING = ErrorMapping(ProviderError, "PROVIDER_BILLING", "The UpCloud account has no credit left for this.")
QUOTA = ErrorMapping(ProviderError, "PROVIDER_QUOTA", "The UpCloud account has reached one of its limits.")
CREATING = ErrorMapping(
    TransientProviderError, "PROVIDER_RATE_LIMITED", "UpCloud is creating too many machines at once.", after=30.0
)

ERRORS = ErrorMapper(
    cloud="UpCloud",
    by_code=(
        (r"SERVER_CREATING_LIMIT_REACHED", CREATING),
        (r"STORAGE_DEVICE_LIMIT_REACHED", COMMON.invalid),
        (r".+_LIMIT_REACHED", QUOTA),
        (r".+_RESOURCES_UNAVAILABLE", COMMON.capacity),
        (r".+_STATE_ILLEGAL|STORAGE_IN_USE|STORAGE_ATTACHED|DEVICE_ADDRESS_IN_USE", COMMON.busy),
        (r"AUTHENTICATION_.+|UNAUTHORIZED_ADDRESS", AUTH),
        (r"INSUFFICIENT_CREDITS", BILLING),
        (r"TRIAL_.+|PLAN_.+_ILLEGAL|.+_FORBIDDEN", COMMON.forbidden),
        (r"SERVER_NOT_FOUND", COMMON.gone),
        (r".+_NOT_FOUND|.+_ILLEGAL|.+_MISMATCH|METADATA_DISABLED_ON_CLOUD-INIT", COMMON.invalid),
        (r"MULTIPLE_TEMPLATES|PUBLIC_STORAGE_ATTACH|API_VERSION_.+", COMMON.invalid),
    ),
    by_status={
        401: AUTH,
        402: BILLING,
        403: COMMON.forbidden,
        409: COMMON.busy,
        429: COMMON.rate_limited,
        **dict.fromkeys((400, 405, 406, 413, 415, 422), COMMON.invalid),
    },
)


def code_in(body: Any, status: int) -> str:
    """Find the error code in any of the shapes that UpCloud is known to answer, else `HTTP_<status>`."""
    problem: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    nested = problem.get("error")
    error: Mapping[str, Any] = nested if isinstance(nested, Mapping) else {}
    kind = str(problem.get("type") or "").rpartition("#")[2].removeprefix("ERROR_")
    for code in (error.get("error_code"), error.get("code"), kind):
        if isinstance(code, str) and CODE_SHAPE.fullmatch(code):
            return code
    return f"HTTP_{status}"


def refusal(status: int, code: str, *, retry_after: str, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Return the error for an answer that is no success; one that says nothing counts as lost."""
    mapping, after = ERRORS.find(code, status), retry_after_seconds(retry_after)
    if mapping is None:
        return ERRORS.lost(creating=creating, after=after, **facts)
    return mapping.make(code, after, facts)
