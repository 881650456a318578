"""A server that sends back exact bytes, for the answers that no well-behaved cloud gives."""

import json
import socket
import struct
import threading
from contextlib import contextmanager

import pytest

from apps.providers.drivers import connect
from apps.providers.drivers.base import Connection, MachineSpec, OutcomeUnknown, ProviderError, TransientProviderError

TOKEN = "ucat_very-secret-token"
REF = "00aa1111-2222-4333-8444-555566667777"
SPEC = MachineSpec(server_id="srv-1", hostname="web-1", plan="1xCPU-1GB", zone="fi-hel1", disk_gib=25)
LOST = {"text/html": b"<html>Bad gateway</html>", "application/json": b'{"server": {"uu', "text/plain": b""}
HANG, RESET, CUT = "hang", "reset", "cut"


def answer(status=200, body=b"", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(raw)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def refusal(status, code):
    return answer(status, {"error": {"error_code": code, "error_message": f"Not with {TOKEN}."}})


class Script:
    """A server that answers each connection with the next given bytes and remembers what it was sent."""

    def __init__(self):
        self.answers, self.requests, self.over = [], [], threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}/1.3"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(self.read(connection))
                self.give(connection, self.answers.pop(0))

    def read(self, connection):
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += connection.recv(65536)
        head, _, body = raw.partition(b"\r\n\r\n")
        sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        while len(body) < sum(sizes):
            body += connection.recv(65536)
        return head.decode(), body

    def give(self, connection, given):
        if given == HANG:
            self.over.wait(5)
        elif given == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif given == CUT:
            connection.sendall(answer(200, b"x" * 100)[:-50])
        else:
            connection.sendall(given)

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@contextmanager
def opened(endpoint, **credentials):
    connection = Connection(endpoint=endpoint, credentials=credentials or {"token": TOKEN}, installation="inst-1")
    driver = connect("upcloud", connection)
    yield driver
    driver.close()


def raised(act, *args, **kwargs):
    with pytest.raises((ProviderError, TransientProviderError, OutcomeUnknown)) as caught:
        act(*args, **kwargs)
    error = caught.value
    assert TOKEN not in f"{error!r} {error} {error.data}"
    assert error.message[0].isupper() and error.message.endswith(".")
    return next(
        kind for kind in (ProviderError, TransientProviderError, OutcomeUnknown) if isinstance(error, kind)
    ), error.code


def servers(*numbers, **fields):
    labels = {"label": [{"key": "prov-managed", "value": "1"}, {"key": "prov-install", "value": "inst-1"}]}
    return [{"uuid": REF[:-3] + f"{number:03}", "labels": labels, "state": "started", **fields} for number in numbers]


def page(items, total=None):
    headers = {} if total is None else {"Upcloud_Total_Count": total}
    return answer(200, {"servers": {"server": items}}, **headers)
