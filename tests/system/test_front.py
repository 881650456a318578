"""The web server under clients that are slow, odd, or gone; all over real connections."""

import json
import re
import resource
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.conf import settings
from django.contrib.auth.models import Group

from apps.accounts.models import TokenFamily, User
from apps.accounts.services import issue
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.system.web.requests import environ_of
from apps.workspaces.models import Workspace
from tests.operations.databases import SQLite, connected
from tests.refusals import hold
from tests.system.service import ask, service

SERVERS = 6000
BODY_SECONDS = 3
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def database(tmp_path_factory, django_db_blocker):
    """A database with many servers and an operator; gives its URL and the operator's token."""
    with django_db_blocker.unblock(), SQLite(tmp_path_factory.mktemp("front")).fresh() as url, connected(url):
        person = User.objects.create_user("alice")
        person.groups.add(Group.objects.get(name="operator"))
        family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
        place = Workspace.objects.create(name="production", path="/opt/production")
        account = CloudAccount.objects.create(provider="upcloud", name="a", endpoint="http://127.0.0.1:9/1.3")
        common = {"workspace": place, "account": account, "provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1"}
        rows = [
            Server(hostname=f"web-{number}", status="running", tags=["x" * 900], **common) for number in range(SERVERS)
        ]
        Server.objects.bulk_create(rows, batch_size=500)
        yield url, issue(person, family.pk, family.current).token


@pytest.fixture(scope="module")
def node(database):
    """A web server on that database; gives its port and the headers of the operator."""
    url, token = database
    with service(DATABASE_URL=url, SECRET_KEY=settings.SECRET_KEY, BODY_SECONDS=str(BODY_SECONDS)) as port:
        yield port, {"Authorization": f"Bearer {token}"}


@contextmanager
def connections(port, requests):
    """Open a connection for each request, and send it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with ExitStack() as stack:
        yield [stack.enter_context(opened(port, request)) for request in requests]


def opened(port, request, buffer=None):
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    return connection


def answer_of(connection):
    """Read until the server closes the connection; gives status and body."""
    content = b""
    while part := connection.recv(65536):
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def head(method, path, *lines):
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (method, path, b"".join(lines))


def slow_requests(count):
    """Return requests to every kind of path that announce a body, with and without its length, and never send it."""
    paths = [
        b"/v1/auth/login",
        b"/v1/servers/create",
        b"/admin/login/",
        b"/health",
        b"/v1/nothing",
        b"/emulator/1.3/server",
    ]
    bodies = [b"Content-Length: 500000\r\n", b"Transfer-Encoding: chunked\r\n"]
    methods = [b"POST", b"GET", b"DELETE"]
    for number in range(count):
        lines = JSON, bodies[number % 2]
        yield head(methods[number % 3], paths[number % len(paths)], *lines) + (b"{", b"5\r\n{")[number % 2]


@pytest.mark.slow
def test_it_serves_others_beside_500_clients_that_do_not_send_their_bodies(node):
    port, operator = node
    with connections(port, slow_requests(500)) as slow:
        began = time.monotonic()
        for path, expected in (("/health", 200), ("/v1/operations", 200), ("/v1/nothing", 404), ("/admin/login/", 200)):
            assert ask(port, "GET", path, headers=operator)[0] == expected
        assert time.monotonic() - began < BODY_SECONDS, "they were served only after the others had been given up"
        for connection in slow[:20]:
            status, body = answer_of(connection)
            assert status == 408
            hold(json.loads(body), 408)


def test_it_serves_others_beside_clients_that_send_a_byte_at_a_time(node):
    port, _ = node
    with connections(port, slow_requests(100)) as slow:
        for _ in range(3):
            for connection in slow:
                connection.sendall(b" ")
            assert ask(port, "GET", "/health")[0] == 200
        assert answer_of(slow[0])[0] == 408, "each byte prolonged the time"


def test_it_serves_others_beside_clients_that_do_not_finish_their_headers(node):
    port, _ = node
    with connections(port, [b"GET /health HTTP/1.1\r\nHost: local"] * 300):
        assert ask(port, "GET", "/health")[0] == 200


def test_it_serves_others_beside_clients_that_do_not_read(node):
    port, operator = node
    request = head(b"GET", b"/v1/servers", b"Authorization: " + operator["Authorization"].encode() + b"\r\n")
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened(port, request, buffer=4096))
        began = time.monotonic()
        assert ask(port, "GET", "/v1/operations", headers=operator)[0] == 200
        assert time.monotonic() - began < 10, "all threads waited for clients that do not read"


def test_it_streams_a_long_list_whole_and_goes_on_after_clients_that_leave(node):
    port, operator = node
    request = head(b"GET", b"/v1/servers", b"Authorization: " + operator["Authorization"].encode() + b"\r\n")
    for _ in range(20):
        with opened(port, request) as connection:
            connection.recv(1000)
    status, _, content = ask(port, "GET", "/v1/servers", headers=operator)
    assert (status, len(json.loads(content))) == (200, SERVERS)


@pytest.mark.parametrize(
    "path", ["/v1/servers", "/health", "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"]
)
def test_it_answers_head_without_a_body(path, node):
    port, operator = node
    status, _, content = ask(port, "HEAD", path, headers=operator)
    assert (status, content) == (200, b"")


def test_it_serves_one_request_after_another_over_a_connection(node):
    port, _ = node
    body = b'{"unknown": 1}'
    length = b"Content-Length: %d\r\n" % len(body)
    requests = [
        head(b"POST", b"/v1/auth/login", JSON, length) + body,
        head(b"GET", b"/health", b"Connection: close\r\n"),
    ]
    with opened(port, b"".join(requests)) as connection:
        content = b""
        while part := connection.recv(65536):
            content += part
    assert re.findall(rb"HTTP/1.1 (\d+)", content) == [b"400", b"200"]


def test_it_asks_for_the_body_of_a_client_that_waits_to_be_asked(node):
    port, _ = node
    expect = b"Expect: 100-continue\r\n"
    with opened(
        port, head(b"POST", b"/v1/auth/login", JSON, expect, b"Content-Length: 2\r\nConnection: close\r\n")
    ) as connection:
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert answer_of(connection)[0] == 400
    with opened(port, head(b"POST", b"/v1/auth/login", JSON, expect, b"Content-Length: 5000000\r\n")) as connection:
        assert answer_of(connection)[0] == 413


def test_it_takes_the_address_of_the_client_and_what_proxies_have_said():
    scope = {
        "method": "GET",
        "raw_path": b"/v1/caf%C3%A9",
        "query_string": b"a=%20b",
        "http_version": "1.1",
        "scheme": "http",
        "client": ("2001:db8::1", "4711"),
        "server": ("127.0.0.1", "8083"),
        "headers": [
            (b"x-forwarded-for", b"203.0.113.7"),
            (b"x_forwarded_for", b"198.51.100.1"),
            (b"x-forwarded-for", b"203.0.113.8, 10.0.0.1"),
            (b"content-length", b"999"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
        ],
    }
    environ = environ_of(scope, b"ab")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::1", "4711")
    assert environ["HTTP_X_FORWARDED_FOR"] == "203.0.113.7,203.0.113.8, 10.0.0.1"
    assert (environ["CONTENT_LENGTH"], environ["wsgi.input"].read()) == ("2", b"ab")
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/v1/café"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
