"""The emulated cloud as fixtures, served over real HTTP on a free port; needs no database."""

import threading
import warnings
from contextlib import contextmanager

import pytest
from django.core.servers.basehttp import ServerHandler, ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from tests.providers.cloud import Cloud


class Lines(ServerHandler):
    """Breaks the connection after an answer that is shorter than announced, as a crashed server does."""

    def close(self):
        if self.headers is not None and self.bytes_sent < int(self.headers.get("Content-Length") or 0):
            self.request_handler.close_connection = True
        super().close()


class Quiet(WSGIRequestHandler):
    """Logs nothing, and sends each answer in one piece: two would wait for each other's acknowledgement."""

    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        self.raw_requestline = self.rfile.readline(65537)
        if not self.parse_request():
            return
        handler = Lines(self.rfile, self.wfile, self.get_stderr(), self.get_environ())
        handler.request_handler = self
        handler.run(self.server.get_app())
        self.wfile.flush()


@contextmanager
def serving():
    """Serve the whole project from a thread; gives the URL that the emulator is mounted at."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # WhiteNoise misses the collected static files
        application = get_wsgi_application()
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/emulator"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def cloud_server(tmp_path_factory):
    """One emulator for the whole session, with servers that boot at once; gives its URL."""
    path = tmp_path_factory.mktemp("emulator") / "state.sqlite3"
    with override_settings(EMULATOR_STATE=path, EMULATOR_BOOT_SECONDS=0), serving() as root:
        yield root


@pytest.fixture
def cloud(cloud_server):
    """The emulated cloud, empty and healthy."""
    cloud = Cloud(cloud_server)
    cloud.reset()
    yield cloud
    cloud.close()
