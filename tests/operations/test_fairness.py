from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from apps.operations.models import ConcurrencyLimit, DrainMode, Operation
from apps.operations.queue import leases
from apps.operations.queue.claim_sql import sql
from apps.operations.services import submit
from apps.workspaces.models import Workspace

KIND = "catalog.refresh"


@pytest.fixture
def place(db):
    def make(name):
        return Workspace.objects.get_or_create(name=name, path=f"/opt/{name}")[0]

    return make


def queue(workspace, count=1, limit_key=""):
    made = [submit(kind=KIND, workspace=workspace, actor=None, params={}, limit_key=limit_key).pk for _ in range(count)]
    Operation.objects.filter(pk__in=made).update(due_at=F("due_at") - timedelta(seconds=1))
    return made


def claimed(most):
    return [lease.operation_id for lease in leases.claim(owner="node", max_count=most)]


def test_what_has_just_been_submitted_is_due(place):
    """SQLite knows the time to the millisecond, and rows have it to the microsecond."""
    workspace = place("busy")
    for _ in range(300):
        operation = submit(kind=KIND, workspace=workspace, actor=None, params={})
        assert claimed(1) == [operation.pk]


def test_it_takes_workspaces_in_turn(place):
    crowd = queue(place("crowd"), 50)
    [single] = queue(place("quiet"))
    assert set(claimed(2)) == {crowd[0], single}


def test_it_takes_what_belongs_to_no_workspace_in_turn_too(place):
    crowd = queue(place("crowd"), 50)
    [common] = queue(None)
    assert set(claimed(2)) == {crowd[0], common}


def test_it_takes_the_oldest_of_a_workspace_first(place):
    crowd = queue(place("crowd"), 5)
    assert set(claimed(2)) == set(crowd[:2])
    assert set(claimed(2)) == set(crowd[2:4])


@pytest.mark.parametrize("most", [1, 2, 10])
def test_it_takes_what_has_begun_and_what_has_not_in_turn(place, most):
    crowd = queue(place("crowd"), 50)
    begun = queue(place("crowd"), 20)
    Operation.objects.filter(pk__in=begun).update(status="running", due_at=leases.in_seconds(-0.5))
    taken = [pk for _ in range(20 // most) for pk in claimed(most)]
    assert set(taken) - set(begun) == set(crowd[:10])
    assert len(set(taken) & set(begun)) == 10


def test_it_gives_out_what_has_begun_last(place):
    begun = queue(place("busy"))
    Operation.objects.filter(pk__in=begun).update(status="running", fence=1)
    fresh = queue(place("busy"), 3)
    taken = claimed(4)
    assert (set(taken[:3]), taken[3:]) == (set(fresh), begun)


def test_it_takes_what_has_begun_in_turn_in_no_workspace_too(place):
    queue(None, 50)
    begun = queue(None, 5)
    Operation.objects.filter(pk__in=begun).update(status="running", due_at=leases.in_seconds(-0.5))
    assert len({*claimed(10)} & {*begun}) == 5


def test_it_takes_all_there_is_when_only_one_workspace_has_work(place):
    place("quiet")
    crowd = queue(place("crowd"), 3)
    assert set(claimed(10)) == set(crowd)


@pytest.mark.parametrize("limit_key", ["workspace:crowd", "account:1"])
def test_a_reached_limit_lets_no_more_begin(place, limit_key):
    ConcurrencyLimit.objects.create(name=limit_key, max_running=2)
    crowd = queue(place("crowd"), 5, limit_key="account:1")
    assert set(claimed(5)) == set(crowd[:2])
    Operation.objects.filter(pk__in=crowd[:2]).update(status="running")
    assert claimed(5) == []
    Operation.objects.filter(pk=crowd[0]).update(status="completed", due_at=None)
    assert claimed(5) == [crowd[2]]


def test_a_reached_limit_lets_what_has_begun_go_on(place):
    ConcurrencyLimit.objects.create(name="account:1", max_running=1)
    first, _ = queue(place("crowd"), 2, limit_key="account:1")
    Operation.objects.filter(pk=first).update(status="running")
    assert claimed(5) == [first]


def test_nothing_is_taken_while_draining(place):
    [one] = queue(place("quiet"))
    DrainMode.objects.create()
    assert claimed(5) == []
    DrainMode.objects.all().delete()
    assert claimed(5) == [one]


@pytest.mark.parametrize("statement", ["claim", "peek_next"], ids="{}-of-PostgreSQL".format)
def test_it_reads_no_whole_table_of_which_the_planner_knows_nothing(place, statement):
    if connection.vendor != "postgresql":
        pytest.skip("this is about PostgreSQL")
    crowd = place("crowd")  # more than there were when the table was analyzed last, if ever
    Operation.objects.bulk_create([Operation(kind=KIND, workspace=crowd) for _ in range(3000)])
    with connection.cursor() as cursor:
        values = {"max_count": 10, "running_last": False, "owner": "node", "lease": 30.0, "kinds": KIND}
        cursor.execute(f"EXPLAIN {getattr(sql(), statement)}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Scan" in plan
    assert "Seq Scan on operations_operation" not in plan
