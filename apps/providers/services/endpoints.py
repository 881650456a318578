"""Checks of an account's endpoint: its credentials are sent to that address."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from apps.providers.errors import BadEndpoint

# At these, clouds tell their own machines secrets; link-local addresses are refused as a whole.
METADATA = {
    "metadata",
    "metadata.google.internal",
    "instance-data",
    "instance-data.ec2.internal",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
}
SOCKET = re.compile(r"unix:///[\w./@+-]+", re.ASCII)
PLAIN = re.compile(r"[!-~]+")
# What resolvers take for an address in another notation, such as 2852039166, 0xa9fea9fe or 169.254.43518.
NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")


def check_endpoint(provider: str, endpoint: str) -> None:
    """Refuse an address that credentials must not be sent to; none at all is the provider's own. Raises BadEndpoint.

    It is https anywhere but at what clouds tell secrets, or http on this machine itself; that of a container engine
    here is a socket or a port of this machine.
    """
    if endpoint and not (is_engine(endpoint) if provider == "local" else is_cloud(endpoint)):
        raise BadEndpoint(field="endpoint")


def is_engine(endpoint: str) -> bool:
    """Tell whether it is the address of a container engine on this machine."""
    parts = parsed(endpoint)
    is_port = parts is not None and parts.scheme in ("tcp", "http") and is_here(parts.hostname or "")
    return bool(SOCKET.fullmatch(endpoint)) or is_port


def is_cloud(endpoint: str) -> bool:
    """Tell whether it is the address of a cloud, or of something that plays one on this machine."""
    parts = parsed(endpoint)
    if parts is None or not parts.hostname:
        return False
    return (
        parts.scheme in ("http", "https")
        and is_here(parts.hostname)
        or (parts.scheme == "https" and is_elsewhere(parts.hostname))
    )


def parsed(endpoint: str) -> SplitResult | None:
    """Take an address apart; None for one that cannot be, or that holds a user, a query or a fragment."""
    try:
        parts = urlsplit(endpoint)
        odd = parts.username is not None or parts.query or parts.fragment or parts.port == 0
    except ValueError:
        return None
    return None if odd or not PLAIN.fullmatch(endpoint) or "\\" in endpoint else parts


def is_here(host: str) -> bool:
    """Tell whether a host is this machine."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_elsewhere(host: str) -> bool:
    """Tell whether a host may be a cloud's: nothing link-local, and no address in disguise."""
    address = address_of(host)
    if address is None:
        return host.rstrip(".") not in METADATA and not NUMBER.fullmatch(host)
    return not (str(address) in METADATA or address.is_link_local or address.is_unspecified or address.is_multicast)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is given by, an IPv4 one that is written as IPv6 as itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
