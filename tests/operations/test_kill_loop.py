"""`manage.py dev` under a loop of kills: whatever process dies, at whatever moment, the service and its work go on."""

import os
import random
import signal
import time
from contextlib import suppress
from functools import partial

import pytest
from django.db import connection

from apps.operations.models import Operation
from tests.operations.crash_limit import below_crash_limit
from tests.operations.fleet import ROOT, eventually
from tests.operations.probes import ledger
from tests.operations.processes import children, descendants, is_alive, reapers_of
from tests.system.development import development
from tests.system.service import ask

LEAST_PROCESSES = 8


@pytest.fixture
def dev(database, probes, tmp_path, monkeypatch):
    """`manage.py dev` on that database, with the kinds that misbehave."""
    environment = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "tests.operations.settings"}
    environment |= {"LEDGER": str(tmp_path / "ledger"), "PYTHONPATH": str(ROOT), "LEASE_SECONDS": "3"}
    monkeypatch.setitem(os.environ, "LEDGER", environment["LEDGER"])
    with development(tmp_path, **environment) as running:
        yield running


@pytest.mark.slow
def test_it_outlives_the_death_of_any_process(dev, submit, ended):
    made = submit("provision", count=40, seconds=0.05)
    killed = kill_each(dev)
    assert killed >= LEAST_PROCESSES
    work_is_whole(dev, made, ended)


@pytest.mark.slow
def test_it_outlives_a_loop_of_kills(dev, submit, ended):
    made = submit("provision", count=300, seconds=0.05)
    assert kill_at_random(dev, most=60, seconds=40) > 10
    work_is_whole(dev, made, ended)


def kill_each(dev):
    """Kill each process that there is once, children before their parents; gives how many that were."""
    eventually(lambda: len(descendants(dev.pid)) >= LEAST_PROCESSES, what="all processes")
    killed = 0
    for pid in descendants(dev.pid)[::-1] + reapers(dev):
        with below_crash_limit(partial(family, dev)):
            killed += kill(pid)
        time.sleep(0.2)
    return killed


def kill_at_random(dev, *, most, seconds):
    """Kill any process, new ones as likely as old ones, so many times or for so many seconds; gives how often."""
    kills, end = 0, time.monotonic() + seconds
    while kills < most and time.monotonic() < end:
        with below_crash_limit(partial(family, dev)):
            if living := family(dev):
                kills += kill(random.choice(living))
        time.sleep(random.uniform(0.05, 0.6))
    return kills


def family(dev):
    """All processes but `dev` itself."""
    return descendants(dev.pid) + reapers(dev)


def reapers(dev):
    return reapers_of(dev.pid, *children(dev.pid))


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0


def work_is_whole(dev, made, ended):
    """All is done, each effect was made once, the service serves, and it stops in order."""
    assert dev.process.poll() is None, dev.output()
    done = ended(*made, seconds=120)
    assert {(one.status, one.error) for one in done} == {("completed", None)}
    assert set(Operation.objects.filter(pk__in=[one.pk for one in made]).values_list("due_at", "lease_owner")) == {
        (None, "")
    }
    effects = [words[0] for words in ledger.lines() if words[1] == "effect"]
    assert sorted(effects) == sorted(str(one.pk) for one in made)
    eventually(lambda: answers(dev.port), what="an answer of the web server")
    connection.close()
    members = family(dev)
    assert dev.stop() == 0, dev.output()
    assert dev.output().endswith("stopped\n")
    eventually(lambda: not any(map(is_alive, members)), 15, "the end of all processes")


def answers(port):
    try:
        return ask(port, "GET", "/health")[0] == 200
    except OSError:
        return False
