"""What a node does while there is nothing to do, and how soon it notices that there is something again."""

import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from apps.operations.queue import wakeup
from apps.operations.queue.file_changes import FileChanges
from apps.operations.queue.wakeup import WakeUp
from apps.workspaces.models import Workspace
from tests.operations.databases import SQLite
from tests.operations.fleet import eventually

SECONDS = 3
MAX_WAKEUPS = 12  # a second, of all its processes; the threads of two workers that look after no step would be 12 alone


@pytest.mark.slow
@pytest.mark.parametrize("system", [SQLite], indirect=True)
def test_an_idle_node_sleeps(fleet, submit, ended):
    node = fleet.start()
    ended(*submit("sleep", count=6, seconds=0.2))  # the threads that guard steps run from the first one on
    eventually(lambda: wakeups_a_second(node) < MAX_WAKEUPS, 30, "a quiet node")


def wakeups_a_second(node):
    processes = [node.pid, node.sentinel, *node.crew()]
    before = sum(map(wakeups, processes))
    time.sleep(SECONDS)
    return (sum(map(wakeups, processes)) - before) / SECONDS


def wakeups(pid):
    """How often the threads of a process have gone to sleep so far."""
    statuses = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(words[words.index("voluntary_ctxt_switches:") + 1]) for words in statuses)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'")
@pytest.mark.parametrize("watching", [True, False], ids=["SQLite, watching", "SQLite, polling"])
def test_a_commit_of_another_connection_ends_the_wait(monkeypatch, watching):
    for name in ("LONGEST", "LONGEST_WATCHING"):
        monkeypatch.setattr(wakeup, name, 30.0)
    if not watching:
        monkeypatch.setattr(wakeup, "FileChanges", no_notices)
    alarm = WakeUp()
    alarm.wait(1)  # at the first call, there may be something already
    writer = threading.Timer(0.3, write)
    writer.start()
    began = time.monotonic()
    alarm.wait(0.1)
    assert time.monotonic() - began >= 0.1, "nothing was written yet"
    alarm.wait(30)
    assert time.monotonic() - began < 15
    assert (alarm.log is not None) == watching
    writer.join()


def no_notices(path):
    raise OSError("no inotify")


def write():
    Workspace.objects.create(name="written", path="/opt/written")
    connection.close()


def test_it_notices_writes_to_a_file(tmp_path):
    path = tmp_path / "log"
    with pytest.raises(OSError, match="log"):
        FileChanges(path)
    path.write_text("before")
    changes = FileChanges(path)
    assert not changes.wait(0)
    with path.open("a") as file:
        file.write("more")
    assert changes.wait(10) and not changes.wait(0)
    assert changes.is_current()
    path.unlink()
    assert not changes.is_current()
    path.write_text("another file, perhaps in the same place on the disk")
    assert changes.wait(10) and not changes.is_current()
