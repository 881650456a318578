"""Whose address a request comes from, whatever it says about itself."""

import pytest
from django.test import RequestFactory

from apps.system.client_address import client_address

PROXY, INNER, CLIENT, FORGED = "10.0.0.9", "10.0.0.8", "198.51.100.7", "203.0.113.66"


def found(settings, proxies, peer, forwarded=None):
    settings.TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=peer, **headers))


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, CLIENT, None, CLIENT),
        (0, CLIENT, FORGED, CLIENT),
        (1, PROXY, CLIENT, CLIENT),
        (1, PROXY, f"{FORGED}, {CLIENT}", CLIENT),
        (1, PROXY, f"{FORGED},{FORGED} ,{CLIENT}", CLIENT),
        (1, CLIENT, None, CLIENT),
        (1, CLIENT, "", CLIENT),
        (2, INNER, f"{CLIENT}, {PROXY}", CLIENT),
        (2, INNER, f"{FORGED}, {CLIENT}, {PROXY}", CLIENT),
        (2, INNER, CLIENT, CLIENT),
        (2, INNER, None, INNER),
        # not addresses
        (1, PROXY, "unknown", PROXY),
        (1, PROXY, f"{FORGED}, unknown", PROXY),
        (2, INNER, f"{FORGED}, _hidden, {PROXY}", PROXY),
        (1, PROXY, f"{FORGED}, 999.1.1.1", PROXY),
        (1, PROXY, f"{CLIENT},", CLIENT),
        (1, "", CLIENT, CLIENT),  # a proxy that comes through a socket
        (1, "", None, None),
        (0, "", FORGED, None),
        # ports, brackets, IPv6
        (1, PROXY, f"{FORGED}, {CLIENT}:51234", CLIENT),
        (1, PROXY, "2001:DB8:0::7", "2001:db8::7"),
        (1, PROXY, "[2001:db8::7]", "2001:db8::7"),
        (1, PROXY, f'{FORGED}, "[2001:db8::7]:443"', "2001:db8::7"),
        (1, PROXY, f"::ffff:{CLIENT}", CLIENT),
        (1, PROXY, f"[::ffff:{CLIENT}]:80", CLIENT),
        (0, f"::ffff:{CLIENT}", None, CLIENT),
        (0, "fe80::1%eth0", None, "fe80::1"),
        (1, "::1", "[2001:db8::7", "2001:db8::7"),
    ],
)
def test_it_counts_from_the_end_that_trusted_proxies_write(settings, proxies, peer, forwarded, address):
    assert found(settings, proxies, peer, forwarded) == address


@pytest.mark.parametrize("proxies", [1, 2])
def test_it_is_not_moved_by_anything_that_the_client_wrote(settings, proxies):
    """However much is put in front, the entries that proxies added decide."""
    added = [CLIENT, PROXY][:proxies]
    for forged in ("", FORGED, "x", f"{FORGED}, " * 500 + FORGED, "[", ",,,", "::", "a:b:c", "\x00"):
        assert found(settings, proxies, INNER, ", ".join([forged, *added])) == CLIENT
