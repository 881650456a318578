"""Check the addresses that names resolve to, at each connection to a cloud.

An endpoint's name is checked when it is given, yet what it resolves to is up to whoever holds its zone, and may change
between a check and a connection. So the resolver itself leaves out what credentials must not reach: all HTTP clients
(httpx, urllib3, requests) connect to what `socket.getaddrinfo` returned, and to nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from apps.providers.services.endpoints import address_of, is_elsewhere

_guarded: ContextVar[bool] = ContextVar("guarded", default=False)
_resolve = socket.getaddrinfo


@contextmanager
def guarded_names() -> Iterator[None]:
    """Let names resolve to public or private addresses only, in this thread, as long as it lasts."""
    socket.getaddrinfo = resolve_guarded
    token = _guarded.set(True)
    try:
        yield
    finally:
        _guarded.reset(token)


def resolve_guarded(host: Any, *args: Any, **options: Any) -> list[Any]:
    """Resolve like `socket.getaddrinfo`, without addresses that a cloud does not have. Raises socket.gaierror.

    `localhost` and addresses that are given as such were checked when the account was made.
    """
    found = _resolve(host, *args, **options)
    name = host.decode() if isinstance(host, bytes) else host
    if not _guarded.get() or not name or name == "localhost" or address_of(name):
        return found
    allowed = [entry for entry in found if may_connect(str(entry[4][0]))]
    if not allowed:
        raise socket.gaierror(socket.EAI_NONAME, "The name resolves to no address that may be connected to.")
    return allowed


def may_connect(text: str) -> bool:
    """Tell whether a name may stand for an address: no loopback, link-local or metadata address."""
    address = address_of(text.partition("%")[0])
    return address is not None and not address.is_loopback and is_elsewhere(str(address))
