"""`manage.py dev`: one service a folder, any locale, and children that are started again when they die."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest

from apps.operations.models import Operation
from apps.system import supervision
from apps.system.management.commands.dev import Command
from apps.system.supervision import Backoff, Child, Hopeless
from tests.operations.fleet import eventually
from tests.operations.processes import children, descendants, is_alive
from tests.system.development import development, free_port
from tests.system.service import ask

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One for all tests, in a locale that has no UTF-8."""
    with development(tmp_path_factory.mktemp("dev"), **ASCII) as made:
        yield made


@pytest.mark.slow
def test_it_starts_in_a_locale_without_utf8(running):
    assert "Traceback" not in running.output()
    assert ask(running.port, "GET", "/health")[0] == 200


def test_its_processes_share_the_memory_of_what_was_imported(running):
    """Each on its own needs what the first imports; forked after the imports, the tree stays far below that."""
    first = memory(running.pid, "Rss")
    tree = [running.pid, *descendants(running.pid)]
    assert len(tree) >= 9
    assert sum(memory(pid, "Pss") for pid in tree) < len(tree) * first / 2


def memory(pid, kind):
    """A process's memory in kB: `Rss`, all of it, or `Pss`, its share of what several have."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def test_it_refuses_a_second_service_in_its_folder(running):
    code, output = running.run_another(PORT=str(free_port()))
    assert code == 1
    assert f"process {running.pid} on port {running.port}" in output
    assert "VAR_DIR=" in output and "PORT=" in output and "Traceback" not in output


def test_it_refuses_a_port_in_use(running, tmp_path):
    code, output = running.run_another(VAR_DIR=str(tmp_path))
    assert code == 1
    assert f"Port {running.port} is in use by another program; choose another" in output and "Traceback" not in output


def test_it_starts_whatever_is_killed_again(running):
    web, worker = kept_alive(running.pid)
    for pid, name in ((web, "web server"), (worker, "worker")):
        below = descendants(pid)
        os.kill(pid, signal.SIGKILL)
        running.wait_for(f"the {name} ended (killed by SIGKILL); starting it again")
        eventually(lambda them=below: not any(map(is_alive, them)), 20, f"the end of what was below the {name}")
    eventually(lambda: len(kept_alive(running.pid)) == 2, 20)
    eventually(lambda: answers(running.port), 60, "the new web server")
    assert running.process.poll() is None


def test_a_killed_web_worker_is_replaced_beside_the_other(running):
    web, _ = kept_alive(running.pid)
    first, second = sorted(eventually(lambda: len(found := web_workers(web)) == 2 and found, 20))
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(found := web_workers(web)) == 2 and first not in found, 20, "a new web worker")
    assert second in web_workers(web)
    assert kept_alive(running.pid)[0] == web
    eventually(lambda: answers(running.port), 20, "an answer")


@pytest.mark.slow
def test_it_outlives_web_workers_that_are_killed_again_and_again(running):
    for _ in range(12):
        web = min(eventually(lambda: kept_alive(running.pid), 20))
        for pid in descendants(web):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    assert running.process.poll() is None, running.output()
    eventually(lambda: answers(running.port), 60, "the web server")


def kept_alive(pid):
    """Web server and worker, oldest first, without the child that prints the addresses and then ends."""
    return [child for child in children(pid) if name_of(child) != "announcer"]


def name_of(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()


def web_workers(web):
    """The processes that listen below the web server's own, and not the tracker of its shared memory."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(web) if is_alive(pid)}
    return [pid for pid, command in commands.items() if b"tracker" not in command]


def test_it_says_where_it_is_before_every_account_is_read(live_server, account, settings):
    settings.PORT = live_server.thread.port
    printed = StringIO()
    announcer = threading.Thread(target=Command(stdout=printed).announce)
    announcer.start()
    eventually(lambda: "Ctrl-C stops" in printed.getvalue(), 20)
    assert "account(s)" not in printed.getvalue(), "no worker has read it"
    Operation.objects.update(status="completed", due_at=None)
    announcer.join(20)
    assert "1 account(s) read" in printed.getvalue()


def answers(port):
    try:
        return ask(port, "GET", "/health")[0] == 200
    except OSError:
        return False


# ── supervision ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def child(monkeypatch):
    """Make a supervised child of a line of Python; return it and the lines logged about it."""
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE_SECONDS", 0.05)
    made = []

    def make(line):
        lines = []

        def start():
            return subprocess.Popen([sys.executable, "-S", "-c", line], start_new_session=True)

        made.append(Child("thing", start, lines.append))
        return made[-1], lines

    yield make
    for one in made:
        one.terminate()
        one.wait(0)


def starts(child, lines, count):
    """Keep it alive until it has died so many times."""
    eventually(lambda: child.keep_alive() or len(lines) >= count, 60)


def test_it_gives_up_on_a_child_that_ends_at_once_each_time(child):
    thing, lines = child("raise SystemExit(3)")
    with pytest.raises(Hopeless, match=r"The thing ended 5 times within .* exit code 3"):
        starts(thing, lines, 100)
    assert len(lines) == 4


def test_it_never_gives_up_on_a_child_that_is_killed(child):
    thing, lines = child("import os; os.kill(os.getpid(), 9)")
    starts(thing, lines, 20)
    assert all("killed by SIGKILL" in line for line in lines)


def test_it_forgives_after_a_life_of_some_length(child, monkeypatch):
    monkeypatch.setattr(supervision, "SHORT_LIFE_SECONDS", 0.0)
    thing, lines = child("raise SystemExit(1)")
    starts(thing, lines, 8)
    assert all("starting it again in 0 s" in line for line in lines)


def test_it_never_gives_up_on_a_child_that_has_worked(child):
    thing, lines = child("raise SystemExit(1)")
    thing.has_worked = True
    starts(thing, lines, 20)
    assert all("exit code 1" in line for line in lines)


def test_a_program_that_cannot_be_started_is_tried_again(child):
    thing, lines = child("")
    thing.start_process = lambda: subprocess.Popen(["/nowhere/to/be/found"])
    starts(thing, lines, 3)
    assert "cannot be started (No such file or directory)" in lines[0]


def test_pauses_grow_to_a_limit_and_end_with_a_longer_life():
    backoff = Backoff()
    assert [backoff.after(seconds=0) for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    assert backoff.after(seconds=60) == 0
    assert backoff.after(seconds=0) == 0.5
