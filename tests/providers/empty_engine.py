"""A container engine without any image, over real HTTP."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class Empty(BaseHTTPRequestHandler):
    """Answers what the driver asks before it orders anything."""

    answers = {"version": {"ApiVersion": "1.41"}, "info": {"NCPU": 2}, "json": []}

    def do_GET(self):
        content = json.dumps(self.answers[self.path.partition("?")[0].rpartition("/")[2]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@contextmanager
def serving_empty_engine():
    """Serve it from a thread; gives its address."""
    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
