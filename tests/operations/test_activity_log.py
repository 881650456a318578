"""The lines of a development server: one when an operation starts, one when it ends, one for each request."""

import logging
import re
from contextlib import nullcontext
from dataclasses import replace

import pytest

from apps.operations import cancellation, registry, services
from apps.operations.errors import Refused
from apps.operations.handler_api import Done, Wait
from tests.operations.probes.kinds import KINDS


@pytest.fixture
def lines():
    """Collect what both loggers say, each line once."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    loggers = [
        logging.getLogger(name) for name in ("apps.operations.observability.activity_log", "apps.system.request_log")
    ]
    for logger in loggers:
        logger.addHandler(handler)
    yield found
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture
def run_as(monkeypatch, run_worker):
    """Run an operation whose steps return these outcomes, one after the other; with `rounds`, only so many."""

    def go(*outcomes, undo=None, rounds=None):
        left = iter(outcomes)
        kind = replace(KINDS[0], name="probe.told", run=lambda context: next(left), compensate=undo)
        monkeypatch.setattr(registry, "_kinds", registry.kinds() | {kind.name: kind})
        operation = services.submit(kind=kind.name, workspace=None, actor=None, params={})
        with pytest.raises(AssertionError, match="still unfinished") if rounds else nullcontext():
            run_worker(rounds)
        return operation

    return go


def without_times(lines):
    return [re.sub(r"after \d+\.\d s", "after N s", line) for line in lines]


def test_it_logs_start_and_end_once_however_many_steps_there_are(db, run_as, lines):
    operation = run_as(Wait(0), Wait(0, message="still"), Done())
    name = f"operation {operation.pk} probe.told"
    assert without_times(lines) == [f"{name} started", f"{name} completed after N s"]


def test_it_logs_why_an_operation_failed(db, run_as, lines):
    operation = run_as(Refused("NO", "No such plan."))
    assert without_times(lines)[-1] == f"operation {operation.pk} probe.told failed after N s: No such plan."


def test_it_logs_a_cancellation_and_its_rollback(db, run_as, run_worker, lines, django_capture_on_commit_callbacks):
    operation = run_as(Wait(0), Wait(0), undo=lambda context: Done(), rounds=1)
    with django_capture_on_commit_callbacks(execute=True):
        cancellation.cancel(operation=operation)
    run_worker()
    name = f"operation {operation.pk} probe.told"
    assert without_times(lines) == [f"{name} started", f"{name} cancelled after N s", f"{name} rolled back after N s"]


def test_it_logs_each_request_in_one_line(db, client, lines):
    client.get("/health?a=%0Ab")
    client.get("/nowhere%0Ahere")
    assert [re.sub(r"\d+ ms", "N ms", line) for line in lines] == [
        "GET /health?a=%0Ab 400 N ms",
        "GET /nowhere%0Ahere 404 N ms",
    ]
