"""An HTTP server in a thread of the test's process."""

import threading
from http.server import ThreadingHTTPServer


class Served:
    """Serves a handler at `address`, "host:port", while the context lasts; the handler has it as `attribute`."""

    def __init__(self, handler, attribute):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (handler,), {attribute: self}))
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        serve = {"poll_interval": 0.01}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs=serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
