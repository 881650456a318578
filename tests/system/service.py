"""The service as a process of its own, behind the web server it is deployed with."""

import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30


@contextmanager
def service(processes=1, **environment):
    """Run the service on a free port; gives the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "web", "--processes", str(processes)],
        cwd=ROOT,
        env=os.environ | {"ENVIRONMENT": "development", "LOG_LEVEL": "CRITICAL", "PORT": str(port)} | environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for(port, process):
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        assert process.poll() is None, "the service ended"
        try:
            ask(port, "GET", "/health")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the service did not answer")


def ask(port, method, path, body=None, headers=None, *, chunked=False):
    """Send one request over a connection of its own; gives status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"Content-Type": "application/json"} | (headers or {})
        connection.request(method, path, body=body, headers=headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
