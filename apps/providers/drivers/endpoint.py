"""The address of a cloud's API, as all drivers that speak HTTP check it before anything is sent to it."""

from __future__ import annotations

import re

from apps.providers.drivers.base import ProviderError

# A user name or a password in it would show in logs.
ENDPOINT = re.compile(
    r"https?://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*)(:(?P<port>[0-9]{1,5}))?(/[a-z0-9._~-]+)*/?",
    re.I,
)


def checked_endpoint(endpoint: str, *, example: str, allow_underscore: bool = False) -> str:
    """Return the address without a slash at its end. Raises ProviderError, PROVIDER_INVALID, naming an example.

    `allow_underscore` is for clients that take host names such as those of containers; not all do.
    """
    match = ENDPOINT.fullmatch(endpoint)
    if not match or int(match["port"] or 0) > 65535 or ("_" in match["host"] and not allow_underscore):
        raise ProviderError("PROVIDER_INVALID", f"The account's endpoint is not an address like {example}.")
    return endpoint.rstrip("/")
