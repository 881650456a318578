"""EC2 in one account's regions: explicit keys, one request a call, bounded in time.

It is botocore, the part of boto3 that speaks to AWS: boto3 itself would add its resources, and half of the time that
importing takes. That is 0.14 s with botocore alone, so it is imported where the first request is made and not when a
web process starts.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from apps.providers.drivers.aws import errors
from apps.providers.drivers.aws.errors import ERRORS
from apps.providers.drivers.base import Connection, ProviderError
from apps.providers.drivers.endpoint import checked_endpoint

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.config import Config
    from botocore.loaders import Loader
    from botocore.session import Session

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
MAX_PAGES = 1000
EXAMPLE = "https://ec2.example.org"  # without an endpoint, each region has its own
MAX_CLIENTS = 32
REGION = r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}"
# What a session would otherwise read from the environment and the home directory of whoever runs this.
NO_PROFILE = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Its lines at level DEBUG hold user data and session tokens.
logging.getLogger("botocore").setLevel(logging.INFO)


class Client:
    """One account at AWS; holds connections and credentials, and shows neither."""

    def __init__(self, connection: Connection):
        self._keys = _keys(connection.credentials)
        self._endpoint = checked_endpoint(connection.endpoint, example=EXAMPLE) if connection.endpoint else None
        self.regions = _regions(connection.credentials.get("regions") or "")
        self._clients: dict[str, BaseClient] = {}

    def close(self) -> None:
        """Give back the connections."""
        while self._clients:
            self._clients.popitem()[1].close()

    def call(self, region: str, operation: str, *, creating: bool = False, **parameters: Any) -> dict[str, Any]:
        """Send one request, once; raises what `errors` makes of anything but a success.

        `operation` is its name in boto3. `creating` marks the one request that must not be repeated blindly.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        facts = {"request": operation, "region": region}
        try:
            return getattr(self._client(region), operation)(**parameters)
        except ClientError as error:
            raise errors.refusal(error.response, creating=creating, facts=facts) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise errors.failure(error, creating=creating, facts=facts) from None

    def pages(self, region: str, operation: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        """Read a list that comes in pages, all of it or an error: complete is what names no next page."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            answer = self.call(region, operation, **parameters, **token)
            if not isinstance(answer.get(key), list):
                break
            found += answer[key]
            if not answer.get("NextToken"):
                return found
            token = {"NextToken": answer["NextToken"]}
        raise ERRORS.incomplete(operation, region=region)

    def _client(self, region: str) -> BaseClient:
        if region not in self._clients:
            self._clients[region] = _client(self._keys, self._endpoint, region, READ_SECONDS)
        return self._clients[region]


@lru_cache(maxsize=MAX_CLIENTS)
def _client(keys: tuple[str, str, str | None], endpoint: str | None, region: str, read_seconds: float) -> BaseClient:
    """Return a region's client, which takes 40 ms to make. One that was closed opens connections when it is used."""
    config = _config(endpoint, read_seconds)
    return _session(keys).create_client("ec2", region_name=region, endpoint_url=endpoint, config=config)


def _session(keys: tuple[str, str, str | None]) -> Session:
    """Open a session of our own with these keys; never the process's default one."""
    from botocore.session import Session

    session = Session(session_vars=NO_PROFILE)
    session.register_component("data_loader", _models())
    session.set_credentials(*keys)
    return session


@cache
def _models() -> Loader:
    """Keep the description of EC2, once a process: reading it takes 0.2 s."""
    from botocore.loaders import create_loader

    return create_loader()


def _config(endpoint: str | None, read_seconds: float) -> Config:
    """Say how to send: no repetitions, for the engine does them, where they are seen and a machine is looked for first.

    A cloud on this machine is never behind a proxy, whatever the environment says, and its AWS_ENDPOINT_URL does not
    say where an account is.
    """
    from botocore.config import Config

    is_here = endpoint is not None and urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        ignore_configured_endpoint_urls=True,
        proxies={} if is_here else None,
        user_agent_extra="provisioning",
    )


def _regions(given: str) -> tuple[str, ...]:
    """Read one region or more, separated by commas."""
    regions = tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", given) if part))
    if not regions or not all(re.fullmatch(REGION, region) for region in regions):
        raise ProviderError("PROVIDER_INVALID", "The account's regions are not a list like eu-west-1, us-east-1.")
    return regions


def _keys(credentials: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Read the keys: id, secret and, for temporary ones, the session's token."""
    names = ("access_key_id", "secret_access_key", "session_token")
    key_id, secret, token = (credentials.get(name) or "" for name in names)
    if not re.fullmatch(r"\w{4,128}", key_id, re.ASCII) or not re.fullmatch(r"[!-~]+", secret):
        raise ProviderError("PROVIDER_AUTH", "The account needs an access key's id and its secret to use AWS.")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise ProviderError("PROVIDER_AUTH", "The account's session token cannot be sent to AWS.")
    return key_id, secret, token or None
