"""`manage.py web`, the web server of a deployment."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.operations.processes import children
from tests.system.service import PATIENCE, ROOT, ask, service


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=os.environ | {"ENVIRONMENT": "development"} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_it_refuses_a_port_that_another_program_has(taken):
    done = run("web", PORT=str(taken))
    assert done.returncode == 1
    says = f"Port {taken} is in use by another program; choose another: PORT={taken + 1} python manage.py web"
    assert done.stderr == f"CommandError: {says}\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--host", "192.0.2.7"), "This machine does not have the address 192.0.2.7; give one that it has to --host."),
        (("--host", "web.example"), "argument --host: invalid ip_address value: 'web.example'"),
        (("--processes", "0"), "--processes is 0; it must be at least 1."),
        (("--processes", "two"), "argument --processes: invalid int value: 'two'"),
    ],
)
def test_it_says_what_is_wrong_with_an_option(options, sentence):
    done = run("web", *options, PORT="8083")
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/proc lists the processes")
def test_a_process_that_is_killed_is_forked_anew(tmp_path):
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/web.sqlite3", "VAR_DIR": str(tmp_path)}
    assert run("migrate", **database).returncode == 0
    with service(processes=2, **database) as port:
        [server] = [child for child in children(os.getpid()) if is_web_server(child)]
        before = children(server)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        give_up = time.monotonic() + PATIENCE
        while len(after := children(server)) < 2 or before[0] in after:
            assert time.monotonic() < give_up, "it was not replaced"
            time.sleep(0.05)
        assert before[1] in after
        assert [ask(port, "GET", "/health")[0] for _ in range(20)] == [200] * 20


def is_web_server(pid):
    return b"web" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
