"""A real server with a worker for browsers, whose emulated cloud has no containers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def serving(folder, **more):
    """Run `manage.py dev` in a folder; yields its address. Its users are the documented ones."""
    port = free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    own = {"ENVIRONMENT": "development", "VAR_DIR": str(folder), "PORT": str(port), "EMULATOR_MACHINES": "none"}
    own |= {
        "INSTALLATION": f"console-{port}",
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "EMULATOR_BOOT_SECONDS": "4",
    }
    own |= more
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "manage.py", "dev"], cwd=ROOT, env=kept | own, stdout=log, stderr=subprocess.STDOUT
        )
        address, ends = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        try:
            while not answers(f"{address}/health/workers"):
                assert running.poll() is None and time.monotonic() < ends, (folder / "log").read_text()
                time.sleep(0.2)
            yield address
        finally:
            running.send_signal(signal.SIGINT)
            try:
                running.wait(30)
            finally:
                running.kill()


def log_in(page, user, password=""):
    """Log in, without a password as one of the documented users."""
    page.goto("/admin/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password or f"{user}123")
    page.get_by_role("button", name="Log in").click()
    page.locator("#c-dashboard").wait_for()  # the login's own address ends with /admin/ too
