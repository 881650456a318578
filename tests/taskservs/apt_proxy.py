"""A caching HTTP proxy for apt, so that tests fetch each package once: `with apt_proxy(directory) as port`.

Proxies of several processes may share the directory: each writes a file of its own, and puts it in place when whole.
"""

import hashlib
import os
import shutil
import tempfile
import threading
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TRIES = 3


class Proxy(BaseHTTPRequestHandler):
    """Answers GET for whole URLs; packages and indexes named by their hash never change, so they are kept."""

    protocol_version = "HTTP/1.1"
    directory: Path
    locks: dict = {}

    def do_GET(self):
        name = hashlib.sha256(self.path.encode()).hexdigest()
        with self.locks.setdefault(name, threading.Lock()):
            path = self.directory / name
            error = self.fetched(path)
            if error:
                self.send_error(error)
            else:
                self.answer(path)

    def fetched(self, path):
        """Have the file there, an older one where the archive does not answer; gives an error's status, or nothing."""
        if path.is_file() and self.path.endswith(".deb"):
            return None
        for _ in range(TRIES):
            try:
                return fetch(self.path, path, self.headers["Authorization"])
            except (OSError, HTTPException) as error:
                if isinstance(error, HTTPError) and error.code < 500:
                    return error.code
        return None if path.is_file() else 502

    def end_headers(self):
        """Ask for a password with a 401, as what it comes from does."""
        if self.code == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        super().end_headers()

    def send_response(self, code, message=None):
        """Begin an answer."""
        self.code = code
        super().send_response(code, message)

    def answer(self, path):
        with path.open("rb") as file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            shutil.copyfileobj(file, self.wfile)

    def log_message(self, *arguments):
        """Say nothing."""


def fetch(url, path, authorization=None):
    """Fetch a URL into a file, all of it or nothing. Raises OSError, HTTPException."""
    request = Request(url, headers={"Authorization": authorization} if authorization else {})  # noqa: S310
    with (
        urlopen(request, timeout=60) as answer,  # noqa: S310 - http of the package archive
        tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file,
    ):
        try:
            shutil.copyfileobj(answer, file)
            file.flush()
            if file.tell() != int(answer.headers.get("Content-Length", file.tell())):
                raise OSError(f"{url} ended early")
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def apt_proxy(directory, handler=Proxy):
    """Serve on a free port of all addresses, for containers reach this machine by its bridge; gives the port."""
    directory.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("0.0.0.0", 0), type("Kept", (handler,), {"directory": directory}))  # noqa: S104
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
