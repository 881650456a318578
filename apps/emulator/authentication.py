"""Authentication: user `emulator` with password `emulator`, or the token `ucat_emulator`."""

import base64

from apps.emulator.responses import PROBLEM, ApiError

BASIC = "Basic " + base64.b64encode(b"emulator:emulator").decode()
BEARER = "Bearer ucat_emulator"


def check(header: str) -> None:
    """Refuse a call without valid credentials; only the answer to no header at all is labeled as problem+json."""
    if not header:
        raise ApiError("AUTHENTICATION_REQUIRED", "Authentication is required.", 401, PROBLEM)
    if header not in (BASIC, BEARER):
        raise ApiError("AUTHENTICATION_FAILED", "Authentication failed using the given username and password.", 401)
