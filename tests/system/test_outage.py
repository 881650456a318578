"""The service in its own process, its database away; and what only a real web server can show of bodies."""

import json
from uuid import UUID

import pytest
from django.conf import settings

from apps.accounts.models import User
from apps.accounts.services import issue
from tests.refusals import hold
from tests.system.service import ask, service

AWAY = {
    "PostgreSQL": "postgres://nobody@127.0.0.1:1/nothing",
    "SQLite": "sqlite:////nonexistent/directory/provisioning.sqlite3",
}


@pytest.fixture(scope="module", params=AWAY)
def port(request):
    with service(DATABASE_URL=AWAY[request.param], SECRET_KEY=settings.SECRET_KEY) as port:
        yield port


@pytest.fixture(scope="module")
def token():
    family = UUID("550e8400-e29b-41d4-a716-446655440000")
    return {"Authorization": f"Bearer {issue(User(pk=1, username='alice', password='!'), family, family).token}"}


def test_it_is_unhealthy_without_its_database(port):
    status, headers, content = ask(port, "GET", "/health")
    body = json.loads(content)
    assert status == 503
    assert headers["content-type"] == "application/json"
    assert list(body) == ["status", "version", "uptime_seconds"]
    assert (body["status"], body["version"], type(body["uptime_seconds"])) == ("unhealthy", "0.1.0", int)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/servers", None),
        ("GET", "/v1/servers/srv-abc123/status", None),
        ("POST", "/v1/servers/create", "{}"),
        ("GET", "/v1/operations?page=1", None),
        ("GET", "/v1/metrics", None),
        ("POST", "/v1/auth/login", '{"username": "alice", "password": "secret"}'),
    ],
)
def test_it_says_that_its_database_is_away(method, path, body, port, token):
    status, headers, content = ask(port, method, path, body, token)
    assert (status, headers["content-type"]) == (503, "application/json"), content
    hold(json.loads(content), 503)
    assert not any(word in content.lower() for word in (b"127.0.0.1", b"nonexistent", b"psycopg", b"sqlite"))


def test_it_still_refuses_what_needs_no_database(port):
    for path, expected in (("/v1/nothing", 404), ("/v1/servers", 401), ("/health?x=1", 400)):
        status, _, content = ask(port, "GET", path)
        assert status == expected
        hold(json.loads(content), expected)


def test_it_reads_a_body_that_comes_in_chunks(port):
    chunks = [b'{"unknown', b'": 1', b"}"]
    status, _, content = ask(port, "POST", "/v1/auth/login", chunks, {"Transfer-Encoding": "chunked"}, chunked=True)
    assert status == 400
    assert set(json.loads(content)["details"]) == {"unknown", "username", "password"}


def test_it_refuses_a_huge_body_that_comes_in_chunks(port):
    chunks = [b"x" * 65536] * (settings.MAX_BODY_BYTES // 65536) + [b"x"]
    status, headers, content = ask(
        port, "POST", "/v1/auth/login", chunks, {"Transfer-Encoding": "chunked"}, chunked=True
    )
    assert (status, headers["content-type"]) == (413, "application/json")
    hold(json.loads(content), 413)


def test_it_refuses_a_huge_body(port):
    status, _, content = ask(port, "POST", "/v1/auth/login", b"x" * (settings.MAX_BODY_BYTES + 1))
    assert status == 413
    hold(json.loads(content), 413)
