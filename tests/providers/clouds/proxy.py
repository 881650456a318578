"""A proxy that spoils requests on order: real HTTP between a driver and whatever plays its cloud.

It forwards everything, counts it, and spoils what matches a rule. Rules are spelt as the UpCloud emulator spells its
own: `fault(action, method=, path=, body=, times=, …)`, the oldest that matches goes first. Actions:

    respond            answer `status`, `json` or `text`, `content_type`, `headers`, and forward nothing
    drop               forward nothing and cut the connection
    drop_after_commit  forward, and cut the connection without an answer
    hang               wait `seconds`, then forward and answer
    hang_after_commit  forward, wait `seconds`, then answer
    edit               forward, and answer what `change(body)` makes of the answer's body; bytes in and out
"""

import http.client
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.providers.clouds.served import Served

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
UPSTREAM_SECONDS = 60


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: list
    body: bytes = field(repr=False)

    def fits(self, *, method=None, path="", head="", body=""):
        """Tell whether it has this method, a path with its query that the regular expression is found in, and texts."""
        return (
            method in (None, self.method)
            and re.search(path, self.path) is not None
            and head in "\n".join(f"{name}: {value}" for name, value in self.headers)
            and body in self.body.decode(errors="replace")
        )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list
    body: bytes = field(repr=False)


class Rule:
    def __init__(self, action, times, seconds=0, change=None, wanted=None, **answer):
        self.act, self.times, self.seconds, self.change = getattr(self, action), times, seconds, change
        self.wanted, self.answer = wanted or {}, answer
        self.ended = threading.Event()

    def respond(self, forward):
        given = {"status": 503, "text": "", "content_type": "application/json", "headers": {}} | self.answer
        body = json.dumps(given["json"]) if "json" in given else given["text"]
        return Answer(
            given["status"], [("Content-Type", given["content_type"]), *given["headers"].items()], body.encode()
        )

    def drop(self, forward):
        return None

    def drop_after_commit(self, forward):
        forward()

    def hang(self, forward):
        self.ended.wait(self.seconds)
        return forward()

    def hang_after_commit(self, forward):
        answer = forward()
        self.ended.wait(self.seconds)
        return answer

    def edit(self, forward):
        answer = forward()
        return Answer(answer.status, answer.headers, self.change(answer.body))


class FaultProxy(Served):
    """Stand before `upstream`, "host:port" or the path of a unix socket; a context manager, reached at `address`."""

    def __init__(self, upstream):
        self.upstream = upstream
        self._rules, self._seen, self._lock = [], [], threading.Lock()
        super().__init__(Handler, "proxy")
        self.url = f"http://{self.address}"

    def __exit__(self, *error):
        self.heal()
        super().__exit__(*error)

    # ── on order ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def fault(self, action, *, method=None, path="", head="", body="", times=1, **more):
        """Spoil the next `times` requests that fit (None: all of them)."""
        rule = Rule(action, times, wanted={"method": method, "path": path, "head": head, "body": body}, **more)
        with self._lock:
            self._rules.append(rule)

    def heal(self):
        """Forget all rules; what hangs goes on at once."""
        with self._lock:
            for rule in self._rules:
                rule.ended.set()
            self._rules.clear()

    def calls(self, **wanted):
        """The requests that came so far, spoilt ones too, and that fit `method`, `path`, `head` and `body`."""
        with self._lock:
            return [request for request in self._seen if request.fits(**wanted)]

    def forget_calls(self):
        with self._lock:
            self._seen.clear()

    # ── at work ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, request):
        """Answer as the first rule that fits says, or as upstream does; None to cut the connection."""
        rule = self._taken(request)
        return rule.act(lambda: self._forwarded(request)) if rule else self._forwarded(request)

    def _taken(self, request):
        with self._lock:
            self._seen.append(request)
            for rule in self._rules:
                if rule.times != 0 and request.fits(**rule.wanted):
                    rule.times = rule.times and rule.times - 1
                    return rule
        return None

    def _forwarded(self, request):
        connection = _Upstream(self.upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Answer(answer.status, _end_to_end(answer.getheaders()), answer.read())
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole and sends its answer in one piece, or nothing at all."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    proxy: FaultProxy

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:  # the client has gone, as one does whose patience ends
            self.close_connection = True

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def _do(self):
        body = self._chunks() if self.headers.get("Transfer-Encoding", "").lower() == "chunked" else self._counted()
        headers = [pair for pair in _end_to_end(self.headers.items()) if pair[0].lower() != "accept-encoding"]
        headers += [("Content-Length", str(len(body)))] if body or self.command in ("POST", "PUT") else []
        answer = self.proxy.answer(Request(self.command, self.path, headers, body))
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status not in (204, 304) and self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else answer.body)

    def _counted(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self):
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def log_message(self, *args):
        pass


class _Upstream(http.client.HTTPConnection):
    """A connection over TCP or, for a path, over a unix socket."""

    def __init__(self, upstream, **more):
        self.path = upstream if upstream.startswith("/") else None
        super().__init__("localhost" if self.path else upstream, **more)

    def connect(self):
        if self.path is None:
            return super().connect()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        return self.sock.connect(self.path)


def _end_to_end(headers):
    """Leave out what belongs to one connection, and the length, which is told anew."""
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | {"content-length"}]
