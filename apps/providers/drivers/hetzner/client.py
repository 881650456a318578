"""Hetzner's own client, held to one request a call, bounded in time.

hcloud would wait for ever and, after a timeout, a 429 or a 502, send again up to five times, POSTs too: both are
switched off here. It takes 0.2 s to import, so that is done where the first request is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from apps.operations.errors import StepError
from apps.providers.drivers.base import Connection, Refused
from apps.providers.drivers.hetzner import refusals

if TYPE_CHECKING:
    import hcloud
    import requests

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
PUBLIC = "https://api.hetzner.cloud/v1"
PAGE, MOST_PAGES = 50, 1000
ENDPOINT = re.compile(
    r"https?://(\[[0-9a-f:.]+\]|[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*)(:(?P<port>[0-9]{1,5}))?(/[a-z0-9._~-]+)*/?", re.I
)


class Client:
    """One project at Hetzner; holds connections and the token, and shows neither."""

    def __init__(self, connection: Connection):
        self._endpoint = _endpoint(connection.endpoint or PUBLIC)
        self._token = _token(connection.credentials)
        self._opened: hcloud.Client | None = None
        self._status, self._headers = 0, {}

    def close(self) -> None:
        """Give back the connections."""
        if self._opened is not None:
            self._opened._client._session.close()
            self._opened = None

    def get(self, path: str, key: str, **params: Any) -> dict[str, Any]:
        """Read the object below `key` of the answer to GET `path`."""
        part = self.send("GET", path, params=params).get(key)
        if not isinstance(part, dict):
            raise refusals.lost(creating=False, path=path)
        return part

    def pages(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Read a list that comes in pages, all of it or an error.

        Complete is: as many items, each with an id of its own, as every page's `total_entries` says.
        """
        found: dict[int, dict[str, Any]] = {}
        total = None
        for number in range(1, MOST_PAGES + 1):
            answer = self.send("GET", path, params={**params, "page": number, "per_page": PAGE})
            page, before, total = _by_id(answer.get(key), path), total, _total(answer, path)
            if (number > 1 and total != before) or found.keys() & page.keys():
                break
            found |= page
            if len(found) == total:
                return list(found.values())
            if not page:
                break
        raise refusals.incomplete(path)

    def send(
        self, method: str, path: str, *, params: Any = None, body: Any = None, creating: bool = False
    ) -> dict[str, Any]:
        """Send one request, once; raises what `refusals` makes of anything but a success.

        `creating` marks the one request that must not be repeated blindly.
        """
        import requests
        from hcloud import APIException

        facts = {"request": f"{method} {path}"}
        self._status, self._headers = 0, {}
        try:
            answer = self._client().request(
                method,
                path,
                params=params,
                json=body,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except APIException as error:
            raise self._refusal(error.code, creating, facts) from None
        except (KeyError, TypeError):  # an error without a code, which hcloud looks for
            raise self._refusal("", creating, facts) from None
        except requests.RequestException as error:
            raise _failure(error, creating, facts) from None
        if not isinstance(answer, dict) or not 200 <= self._status < 300:
            raise refusals.lost(creating=creating, **facts)
        return answer

    def _refusal(self, code: str | int, creating: bool, facts: Mapping[str, Any]) -> StepError:
        return refusals.refusal(self._status, code, self._headers, creating=creating, facts=facts)

    def _client(self) -> hcloud.Client:
        if self._opened is None:
            import hcloud

            self._opened = hcloud.Client(
                token=self._token, api_endpoint=self._endpoint, application_name="provisioning"
            )
            inner = self._opened._client
            inner._retry_max_retries = 0
            session = inner._session
            session.auth = _as_it_is
            session.hooks["response"].append(self._note)
            session.trust_env = urlsplit(self._endpoint).hostname not in ("127.0.0.1", "localhost", "::1")
        return self._opened

    def _note(self, response: requests.Response, **_: Any) -> None:
        """Keep status and headers, which hcloud's errors do not tell."""
        self._status, self._headers = response.status_code, response.headers


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send a request with the token it has; without this, a .netrc of whoever runs this would replace it."""
    return request


def _failure(error: requests.RequestException, creating: bool, facts: Mapping[str, Any]) -> StepError:
    """Turn what came instead of an answer into the error to raise."""
    import requests
    from urllib3.exceptions import NewConnectionError

    facts = {**facts, "cause": type(error).__name__}
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    early = (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError)
    if isinstance(error, early) or isinstance(reason, NewConnectionError):
        return refusals.unreachable(**facts)
    return refusals.unanswered(creating=creating, **facts)


def _by_id(items: Any, what: str) -> dict[int, dict[str, Any]]:
    """Key items by their id, which each must have for itself; a missing list is an error, not an empty one."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise refusals.incomplete(what)
    keyed = {item["id"]: item for item in items if isinstance(item.get("id"), int)}
    if len(keyed) < len(items):
        raise refusals.incomplete(what)
    return keyed


def _total(answer: Mapping[str, Any], what: str) -> int:
    """Read how many items the whole list has."""
    meta = answer.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    total = pagination.get("total_entries") if isinstance(pagination, dict) else None
    if not isinstance(total, int):
        raise refusals.incomplete(what)
    return total


def _endpoint(endpoint: str) -> str:
    """Check the address that everything is sent to; one with a user name in it would show in logs."""
    match = ENDPOINT.fullmatch(endpoint)
    if not match or int(match["port"] or 0) > 65535:
        raise Refused("PROVIDER_INVALID", f"The account's endpoint is not an address like {PUBLIC}.")
    return endpoint.rstrip("/")


def _token(credentials: Mapping[str, str]) -> str:
    token = credentials.get("token") or ""
    if not re.fullmatch(r"[!-~]+", token):
        raise Refused("PROVIDER_AUTH", "The account needs an API token of a project to use Hetzner.")
    return token
