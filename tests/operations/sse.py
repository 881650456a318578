"""A client of server-sent events over a plain socket."""

import json
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    name: str
    data: dict
    id: str = ""


class Stream:
    """An open stream; `next` waits for the next message."""

    def __init__(self, port, path, headers=None, *, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()
        self.file.close()

    def next(self):
        """Return the next message, or None at the stream's end."""
        while True:
            while b"\n\n" not in self.text:
                chunk = self.chunk()
                if not chunk:
                    return None
                self.text += chunk
            block, _, self.text = self.text.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
            if "event" in fields:
                return Message(fields["event"], json.loads(fields["data"]), fields.get("id", ""))

    def chunk(self):
        size = int(self.file.readline().strip() or b"0", 16)
        content = self.file.read(size)
        self.file.readline()
        return content

    def until(self, is_last):
        """Return the messages up to the first that is the last; fails when the stream ends before."""
        found = []
        while not found or not is_last(found[-1]):
            message = self.next()
            assert message, f"the stream ended after {found[-3:]}"
            found.append(message)
        return found

    def rest(self):
        """Return the messages up to the stream's end."""
        found = []
        while message := self.next():
            found.append(message)
        return found
