"""An operation's log as a list: rendered by the database, a part of it or all."""

import json
import time

import pytest
from django.db import connection
from django.db.models import signals
from django.test.utils import CaptureQueriesContext

from apps.operations import events
from apps.operations.models import Event, Operation

LINES = 20_000


@pytest.fixture
def log(workspace):
    """An operation that has ended, with a long log."""
    operation = Operation.objects.create(kind="servers.create", workspace=workspace, status="completed", due_at=None)
    lines = (
        Event(operation=operation, seq=seq, message=f'line "{seq}"', data={"n": seq}) for seq in range(1, LINES + 1)
    )
    Event.objects.bulk_create(lines, batch_size=5000)
    return operation


def test_it_gives_a_long_log_whole_and_in_parts(api, bob, log):
    path = f"/v1/operations/{log.pk}/events"
    api(bob).get(f"{path}?limit=1")
    began = time.monotonic()
    whole = api(bob).get(path)
    content = whole.getvalue()
    took = time.monotonic() - began
    lines = json.loads(content)
    assert [line["seq"] for line in lines] == list(range(1, LINES + 1))
    assert lines[4] == {"seq": 5, "at": lines[4]["at"], "level": "info", "message": 'line "5"', "data": {"n": 5}}
    assert took < 2, "each line was built by itself"
    part = api(bob).get(f"{path}?after=19990&limit=5").json()
    assert part == lines[19990:19995]
    assert api(bob).get(f"{path}?after={LINES}").json() == []


def test_a_log_is_rendered_by_the_database_in_as_many_queries_as_a_line(api, bob, log):
    path = f"/v1/operations/{log.pk}/events"
    built = []

    def count(**others):
        built.append(others["instance"])

    queries = []
    signals.post_init.connect(count, sender=Event)
    try:
        for query in ("?limit=1", "", f"?after={LINES - 1}"):
            with CaptureQueriesContext(connection) as captured:
                api(bob).get(path + query).getvalue()
            queries.append(len(captured))
    finally:
        signals.post_init.disconnect(count, sender=Event)
    assert built == []
    assert queries[0] == queries[1] == queries[2]


def test_only_the_end_of_a_log_says_what_is_waited_for(api, bob, workspace):
    operation = Operation.objects.create(kind="servers.create", workspace=workspace)
    for number in range(3):
        events.append(operation, "info", f"line {number}")
    path = f"/v1/operations/{operation.pk}/events"
    for query, seqs in {"": [1, 2, 3, 3], "?limit=2": [1, 2], "?after=1&limit=2": [2, 3, 3], "?after=3": [3]}.items():
        assert [line["seq"] for line in api(bob).get(path + query).json()] == seqs, query


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "after=-1", "limit=5&limit=5"])
def test_it_refuses_impossible_parts(query, api, bob, workspace):
    operation = Operation.objects.create(kind="servers.create", workspace=workspace)
    assert api(bob).get(f"/v1/operations/{operation.pk}/events?{query}").status_code == 400
