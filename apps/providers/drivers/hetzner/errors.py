"""What the error codes and HTTP statuses of Hetzner's API mean."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import ProviderError, TransientProviderError
from apps.providers.drivers.errors import (
    CommonMappings,
    ErrorMapper,
    ErrorMapping,
    limited_pause,
    retry_after_seconds,
)

CODE_SHAPE = re.compile(r"[a-z][a-z0-9_]{1,99}")

COMMON = CommonMappings("Hetzner")
AUTH = ErrorMapping(ProviderError, "PROVIDER_AUTH", "Hetzner does not accept the token of this account.")
QUOTA = ErrorMapping(ProviderError, "PROVIDER_QUOTA", "The Hetzner project has reached one of its limits.")
MAINTENANCE = ErrorMapping(TransientProviderError, "PROVIDER_UNAVAILABLE", "Hetzner is in maintenance.")

ERRORS = ErrorMapper(
    cloud="Hetzner",
    by_code=(
        (r"unauthorized", AUTH),
        (r"forbidden|token_readonly|protected", COMMON.forbidden),
        (r"resource_limit_exceeded", QUOTA),
        (r"resource_unavailable|placement_error", COMMON.capacity),
        (r"not_found", COMMON.gone),
        (r"invalid_input|invalid_server_type|json_error|unsupported_error|uniqueness_error", COMMON.invalid),
        (r"locked|conflict", COMMON.busy),
        (r"rate_limit_exceeded", COMMON.rate_limited),
        (r"maintenance", MAINTENANCE),
    ),
    by_status={
        400: COMMON.invalid,
        401: AUTH,
        403: COMMON.forbidden,
        409: COMMON.busy,
        413: COMMON.invalid,
        422: COMMON.invalid,
        423: COMMON.busy,
        429: COMMON.rate_limited,
    },
)


def refusal(
    status: int, said: str | int, headers: Mapping[str, str], *, creating: bool, facts: Mapping[str, Any]
) -> StepError:
    """Return the error for an answer that is no success; one that says nothing counts as lost.

    For a creation, a name that is taken is that of the machine which an order made whose answer was lost.
    """
    code = said if isinstance(said, str) and CODE_SHAPE.fullmatch(said) else f"HTTP_{status}"
    facts = {**facts, "status": status, "cloud_code": code}
    mapping = ERRORS.find(code, status)
    if mapping is None or (creating and code == "uniqueness_error"):
        return ERRORS.lost(creating=creating, after=pause(headers), **facts)
    if creating and mapping is COMMON.gone:
        mapping = COMMON.invalid
    return mapping.make(code, pause(headers), facts)


def pause(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, 1 to 60 s: Retry-After or, once nothing remains, until RateLimit-Reset; else None."""
    if seconds := retry_after_seconds(headers.get("Retry-After", "")):
        return seconds
    reset = headers.get("RateLimit-Reset", "") if headers.get("RateLimit-Remaining") == "0" else ""
    return limited_pause(float(reset) - time.time()) if re.fullmatch(r"[0-9]{1,12}", reset) else None
