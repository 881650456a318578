"""A name that resolves to this machine, or to where clouds tell secrets, gets no connection from any driver."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from apps.operations.errors import Refused, Retry
from apps.providers import resolving
from apps.providers.handlers import connected
from apps.providers.models import CloudAccount
from apps.system.encryption import seal
from tests.providers.test_secrets import credentials_of

NAME = "cloud.example.com"


@pytest.fixture
def zone(monkeypatch):
    """Play the zone that resolves the name: give it addresses, one list for each question."""
    answers = []

    def resolve(host, port, *args, **options):
        if host != NAME:
            return real(host, port, *args, **options)
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    real = resolving._resolve
    monkeypatch.setattr(resolving, "_resolve", resolve)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)  # for whoever asks without the guard
    return answers


@pytest.fixture
def trap():
    """A server on this machine that notes every request."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, seen
    server.shutdown()
    server.server_close()


def account(provider, endpoint):
    return CloudAccount(
        provider=provider, name="x", endpoint=endpoint, sealed_credentials=seal(credentials_of(provider))
    )


@pytest.mark.parametrize("provider", ["aws", "hetzner", "upcloud"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_it_sends_nothing_to_this_machine(provider, address, zone, trap, db):
    port, seen = trap
    zone.append(address)
    with pytest.raises((Refused, Retry)), connected(account(provider, f"http://{NAME}:{port}")) as cloud:
        cloud.check()
    assert seen == []


@pytest.mark.parametrize("provider", ["hetzner", "upcloud"])
def test_it_still_reaches_an_address_that_was_given_as_such(provider, trap, db):
    port, seen = trap
    with pytest.raises((Refused, Retry)), connected(account(provider, f"http://127.0.0.1:{port}")) as cloud:
        cloud.check()
    assert seen


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("198.51.100.7", True),
        ("10.1.2.3", True),
        ("2001:db8::7", True),
        ("127.8.8.8", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("224.0.0.1", False),
    ],
)
def test_it_checks_each_address_that_a_name_resolves_to(address, allowed, zone):
    zone.append(address)
    with resolving.guarded_names():
        if allowed:
            assert socket.getaddrinfo(NAME, 443)[0][4][0] == address
        else:
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo(NAME, 443)


def test_it_checks_again_at_each_connection(zone):
    zone += ["198.51.100.7", "127.0.0.1"]
    with resolving.guarded_names():
        socket.getaddrinfo(NAME, 443)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo(NAME, 443)


def test_it_guards_nothing_but_clouds(zone):
    zone.append("127.0.0.1")
    with resolving.guarded_names():
        pass
    assert socket.getaddrinfo(NAME, 443)[0][4][0] == "127.0.0.1"
