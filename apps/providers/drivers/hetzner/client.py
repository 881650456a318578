"""Hetzner's own client, held to one request a call, bounded in time.

hcloud would wait without end and, after a timeout, a 429 or a 502, send again up to five times, POSTs too: both are
switched off here. It takes 0.2 s to import, so that is done where the first request is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from apps.operations.errors import StepError
from apps.providers.drivers.base import Connection, ProviderError
from apps.providers.drivers.endpoint import checked_endpoint
from apps.providers.drivers.hetzner import errors
from apps.providers.drivers.hetzner.errors import ERRORS

if TYPE_CHECKING:
    import hcloud
    import requests

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
PUBLIC = "https://api.hetzner.cloud/v1"
PAGE, MAX_PAGES = 50, 1000


class Client:
    """One project at Hetzner; holds connections and the token, and shows neither."""

    def __init__(self, connection: Connection):
        self._endpoint = checked_endpoint(connection.endpoint or PUBLIC, example=PUBLIC)
        self._token = _token(connection.credentials)
        self._opened: hcloud.Client | None = None
        self._status = 0
        self._headers: Mapping[str, str] = {}

    def close(self) -> None:
        """Give back the connections."""
        if self._opened is not None:
            self._opened._client._session.close()
            self._opened = None

    def get(self, path: str, key: str, **params: Any) -> dict[str, Any]:
        """Read the object below `key` of the answer to GET `path`."""
        part = self.send("GET", path, params=params).get(key)
        if not isinstance(part, dict):
            raise ERRORS.lost(creating=False, path=path)
        return part

    def pages(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Read a list that comes in pages, all of it or an error.

        Complete is: as many items, each with an id of its own, as every page's `total_entries` says. Where that number
        changes on the way or an item comes twice, the list is read to its end and raised as ListChanged.
        """
        found: dict[int, dict[str, Any]] = {}
        total, count, changed = None, 0, False
        for number in range(1, MAX_PAGES + 1):
            answer = self.send("GET", path, params={**params, "page": number, "per_page": PAGE})
            page, before, total = _by_id(answer.get(key), path), total, _total(answer, path)
            changed = changed or bool(found.keys() & page.keys()) or (number > 1 and total != before)
            count, found = count + len(page), found | page
            if not page or count >= total:
                if changed:
                    raise ERRORS.changed(path, found.values())
                if len(found) == total:
                    return list(found.values())
                break
        raise ERRORS.incomplete(path)

    def send(
        self, method: str, path: str, *, params: Any = None, body: Any = None, creating: bool = False
    ) -> dict[str, Any]:
        """Send one request, once; raises what `errors` makes of anything but a success.

        `creating` marks the one request that must not be repeated blindly.
        """
        import requests
        from hcloud import APIException

        facts: dict[str, Any] = {"request": f"{method} {path}"}
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
            raise ERRORS.lost(creating=creating, **facts)
        return answer

    def _refusal(self, code: str | int, creating: bool, facts: Mapping[str, Any]) -> StepError:
        return errors.refusal(self._status, code, self._headers, creating=creating, facts=facts)

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
        return ERRORS.unreachable(**facts)
    return ERRORS.unanswered(creating=creating, **facts)


def _by_id(items: Any, what: str) -> dict[int, dict[str, Any]]:
    """Key items by their id, which each must have for itself; a missing list is an error, not an empty one."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ERRORS.incomplete(what)
    keyed = {item["id"]: item for item in items if isinstance(item.get("id"), int)}
    if len(keyed) < len(items):
        raise ERRORS.incomplete(what)
    return keyed


def _total(answer: Mapping[str, Any], what: str) -> int:
    """Read how many items the whole list has."""
    meta = answer.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    total = pagination.get("total_entries") if isinstance(pagination, dict) else None
    if not isinstance(total, int):
        raise ERRORS.incomplete(what)
    return total


def _token(credentials: Mapping[str, str]) -> str:
    token = credentials.get("token") or ""
    if not re.fullmatch(r"[!-~]+", token):
        raise ProviderError("PROVIDER_AUTH", "The account needs an API token of a project to use Hetzner.")
    return token
