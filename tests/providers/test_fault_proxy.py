"""The proxy that the shared suite spoils requests with, before a server that only counts."""

import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.providers.clouds.proxy import FaultProxy


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.came.append((self.command, self.path, body, self.headers["X-Who"]))
        content = b"" if self.command == "DELETE" else b"made " + body
        self.send_response(204 if self.command == "DELETE" else 201)
        self.send_header("X-Kind", "true")
        if content:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    do_GET = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, *args):
        pass


class OnSocket(socketserver.UnixStreamServer):
    def get_request(self):
        return super().get_request()[0], ("local", 0)


def serving(server):
    server.came = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def upstream():
    yield from serving(ThreadingHTTPServer(("127.0.0.1", 0), Upstream))


@pytest.fixture
def proxy(upstream):
    with FaultProxy(f"127.0.0.1:{upstream.server_port}") as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=5) as client:
        yield client


def test_it_forwards_everything(upstream, client):
    answer = client.post("/things?a=1", content=b"body", headers={"X-Who": "me"})
    assert (answer.status_code, answer.content, answer.headers["X-Kind"]) == (201, b"made body", "true")
    assert upstream.came == [("POST", "/things?a=1", b"body", "me")]
    assert (client.delete("/things").status_code, client.head("/things").status_code) == (204, 201)


def test_it_forwards_what_comes_in_chunks(upstream, client):
    assert client.post("/things", content=iter([b"bo", b"dy"])).content == b"made body"
    assert upstream.came[0][2] == b"body"


def test_it_reaches_a_unix_socket(tmp_path):
    path = str(tmp_path / "engine.sock")
    for server in serving(OnSocket(path, Upstream)):
        with FaultProxy(path) as proxy:
            assert httpx.post(f"{proxy.url}/things", content=b"body", trust_env=False).content == b"made body"
            assert server.came


def test_it_answers_in_place_of_upstream_as_often_as_configured(upstream, proxy, client):
    proxy.fault("respond", method="POST", path="/things$", status=429, headers={"Retry-After": "7"}, times=2)
    assert client.get("/things").status_code == 201
    for _ in range(2):
        answer = client.post("/things")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert client.post("/things").status_code == 201
    assert len(upstream.came) == 2 and len(proxy.calls(method="POST")) == 3


@pytest.mark.parametrize(
    ("wanted", "spoilt"),
    [({"body": "web-2"}, [201, 503]), ({"head": "X-Who: web-1"}, [503, 201])],
    ids=["body", "head"],
)
def test_it_looks_into_bodies_and_headers(proxy, client, wanted, spoilt):
    proxy.fault("respond", times=None, **wanted)
    statuses = [client.post("/", content=name, headers={"X-Who": name}).status_code for name in ("web-1", "web-2")]
    assert statuses == spoilt


@pytest.mark.parametrize(("action", "came"), [("drop", 0), ("drop_after_commit", 1)])
def test_it_cuts_the_connection_before_or_after_the_work(upstream, proxy, client, action, came):
    proxy.fault(action)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/things")
    assert len(upstream.came) == came
    assert client.post("/things").status_code == 201


@pytest.mark.parametrize(("action", "came"), [("hang", 0), ("hang_after_commit", 1)])
def test_it_hangs_until_it_is_healed(upstream, proxy, client, action, came):
    proxy.fault(action, seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/things", timeout=0.2)
    assert len(upstream.came) == came
    began = time.monotonic()
    proxy.heal()
    assert client.post("/things").status_code == 201
    assert time.monotonic() - began < 5


def test_it_edits_an_answer(proxy, client):
    proxy.fault("edit", change=lambda body: body.replace(b"made", b"took"))
    assert client.post("/things", content=b"it").content == b"took it"
