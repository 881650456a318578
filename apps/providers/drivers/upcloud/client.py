"""HTTP to UpCloud: one request a call, bounded in time and size, and answers that are either whole or an error.

httpx is imported with the first account: that takes 0.1 s, and most processes never reach a cloud.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from apps.providers.drivers.base import Connection, ProviderError
from apps.providers.drivers.endpoint import checked_endpoint
from apps.providers.drivers.upcloud import errors
from apps.providers.drivers.upcloud.errors import ERRORS

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, READ_SECONDS, BODY_SECONDS = 5.0, 30.0, 30.0
PUBLIC = "https://api.upcloud.com/1.3"
LARGEST_ANSWER = 16 * 2**20
PAGE, MAX_PAGES = 100, 1000
# A cloud on this machine is never behind a proxy, whatever the environment says.
NO_PROXY = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A success: its decoded body, None when there is none that can be read, and its headers."""

    body: Any = field(repr=False)
    headers: httpx.Headers = field(repr=False)

    def part(self, key: str) -> dict[str, Any] | None:
        """Give the object below `key`, or None when there is none."""
        part = self.body.get(key) if isinstance(self.body, dict) else None
        return part if isinstance(part, dict) else None


class Client:
    """One account at UpCloud; holds connections and credentials, and shows neither."""

    def __init__(self, connection: Connection):
        import httpx

        self._endpoint = checked_endpoint(connection.endpoint or PUBLIC, example=PUBLIC, allow_underscore=True)
        headers = {"Authorization": _authorization(connection.credentials), "Accept": "application/json"}
        self._http = httpx.Client(headers=headers, mounts=NO_PROXY, follow_redirects=False, verify=_trust())

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def get(self, path: str, key: str) -> dict[str, Any]:
        """Read the object below `key` of the answer to GET `path`."""
        part = self.send("GET", path).part(key)
        if part is None:
            raise ERRORS.lost(creating=False, path=path)
        return part

    def items(self, path: str, outer: str, inner: str) -> list[dict[str, Any]]:
        """Read a list that comes in one piece; one that is shorter than it says is an error."""
        answer = self.send("GET", path)
        items = _items(answer, outer, inner, path)
        if _total(answer, path) not in (None, len(items)):
            raise ERRORS.incomplete(path)
        return items

    def pages(self, path: str, outer: str, inner: str, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Read a list that comes in pages, all of it or an error.

        Complete is: as many items as each page's Upcloud-Total-Count says or, without that header, an empty page at the
        end. What is made and deleted between two pages can still hide an item: get() before believing in a loss. Where
        that count changes on the way or an item comes twice, the list is read to its end and raised as ListChanged.
        """
        query = [("label", f"{key}={value}") for key, value in (labels or {}).items()]
        found: dict[str, dict[str, Any]] = {}
        total, offset, changed = None, 0, False
        for number in range(MAX_PAGES):
            answer = self.send("GET", path, params=[*query, ("limit", PAGE), ("offset", offset)])
            page = _by_uuid(_items(answer, outer, inner, path), path)
            before, total = total, _total(answer, path)
            differs = bool(found.keys() & page.keys()) or (number > 0 and total != before)
            if differs and None in (before, total):
                break
            changed, offset, found = changed or differs, offset + len(page), found | page
            if not page or (total is not None and offset >= total):
                if changed:
                    raise ERRORS.changed(path, found.values())
                if total in (None, len(found)):
                    return list(found.values())
                break
        raise ERRORS.incomplete(path)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        body: Any = None,
        creating: bool = False,
        seconds: float | None = None,
    ) -> Answer:
        """Send one request, once; raises what `errors` makes of anything but a success.

        `creating` marks the one request that must not be repeated blindly; `seconds` is the longest
        silence, READ_SECONDS when None.
        """
        import httpx

        not_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
        timeout = httpx.Timeout(seconds or READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        url, request = self._endpoint + path, f"{method} {path}"
        try:
            with self._http.stream(method, url, params=params, json=body, timeout=timeout) as response:
                return _answer(response, _decoded(_read(response)), request, creating)
        except (*not_sent, httpx.UnsupportedProtocol) as error:
            raise ERRORS.unreachable(request=request, cause=type(error).__name__) from None
        except httpx.HTTPError as error:
            raise ERRORS.unanswered(creating=creating, request=request, cause=type(error).__name__) from None


def _answer(response: httpx.Response, body: Any, request: str, creating: bool) -> Answer:
    """Let a success through and raise anything else; the correlation id is what UpCloud's support asks for."""
    correlation = re.sub(r"[^0-9A-Za-z-]", "", response.headers.get("Upcloud-Cid", ""))[:64]
    log.debug("%s answered %s (%s)", request, response.status_code, correlation)
    if response.is_success:
        return Answer(body, response.headers)
    code = errors.code_in(body, response.status_code)
    facts = {"request": request, "status": response.status_code, "cloud_code": code, "correlation_id": correlation}
    retry_after = response.headers.get("Retry-After", "")
    raise errors.refusal(response.status_code, code, retry_after=retry_after, creating=creating, facts=facts)


def _read(response: httpx.Response) -> bytes:
    """Read the body, however slowly it drips, within its time and size."""
    import httpx

    raw, ends = bytearray(), time.monotonic() + BODY_SECONDS
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > LARGEST_ANSWER or time.monotonic() > ends:
            raise httpx.ReadTimeout("The answer is too long or too slow.")
    return bytes(raw)


def _decoded(raw: bytes) -> Any:
    """Decode JSON with exact decimals; None for anything else."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _items(answer: Answer, outer: str, inner: str, what: str) -> list[dict[str, Any]]:
    """Find the doubly nested list in an answer; a missing one is an error, not an empty one."""
    items = (answer.part(outer) or {}).get(inner)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ERRORS.incomplete(what)
    return items


def _by_uuid(items: list[dict[str, Any]], what: str) -> dict[str, dict[str, Any]]:
    """Key items by their uuid, which each must have for itself."""
    keyed = {item["uuid"]: item for item in items if isinstance(item.get("uuid"), str)}
    if len(keyed) < len(items):
        raise ERRORS.incomplete(what)
    return keyed


def _total(answer: Answer, what: str) -> int | None:
    """Read how many items the whole list has, None when the answer does not say."""
    total = answer.headers.get("Upcloud-Total-Count")
    if total is not None and not re.fullmatch(r"[0-9]{1,9}", total):
        raise ERRORS.incomplete(what)
    return None if total is None else int(total)


def _authorization(credentials: Mapping[str, str]) -> str:
    """Make the header from a token or else from user name and password."""
    token, username, password = (credentials.get(name) or "" for name in ("token", "username", "password"))
    if re.fullmatch(r"[!-~]+", token):
        return f"Bearer {token}"
    if not token and username and password:
        return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
    raise ProviderError("PROVIDER_AUTH", "The account needs a token, or a user name and a password, to use UpCloud.")


@cache
def _trust() -> ssl.SSLContext:
    """Load the trusted certificates once a process: it takes longer than most calls."""
    import httpx

    return httpx.create_ssl_context()
