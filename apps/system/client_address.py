"""The client's address of a request: read through trusted proxies, and kept for services, which know no requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

IPV6_CLIENT_PREFIX = 64  # a site is given this much at least (RFC 6177), and chooses its addresses in it

_current: ContextVar[str | None] = ContextVar("client_address", default=None)


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address in its shortest form, an IPv4 one mapped into IPv6 as IPv4; None when it is unknown.

    It trusts as many proxies as `settings.TRUSTED_PROXIES` says, and only what these have added to the header.
    """
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return find_address(peer, forwarded, settings.TRUSTED_PROXIES)


def client_network(request: HttpRequest) -> str | None:
    """Return what to count a client by: its IPv4 address, or the first address of its IPv6 /64."""
    address = client_address(request)
    if address is None or ":" not in address:
        return address
    return str(ip_network(f"{address}/{IPV6_CLIENT_PREFIX}", strict=False).network_address)


def find_address(peer: str, forwarded: str, trusted_proxies: int) -> str | None:
    """Count `trusted_proxies` from the right end of the way, which is X-Forwarded-For and then the peer itself.

    Whatever stands further left was written by the client and proves nothing. An entry that is no address gives way
    to the next on its right, which a trusted proxy is known by.
    """
    way = [*(entry for entry in forwarded.split(",") if entry.strip()), peer] if trusted_proxies else [peer]
    believed = way[-(trusted_proxies + 1) :]
    return next((str(address) for entry in believed if (address := parse_entry(entry))), None)


def parse_entry(entry: str) -> IPv4Address | IPv6Address | None:
    """Return the address in an entry such as `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    text = entry.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@contextmanager
def remember_client_address(address: str | None) -> Iterator[None]:
    """Make `current_client_address` return the address inside the block."""
    token = _current.set(address)
    try:
        yield
    finally:
        _current.reset(token)


def current_client_address() -> str | None:
    """Return the client's address of the request being answered; None outside of requests, as in a worker."""
    return _current.get()
