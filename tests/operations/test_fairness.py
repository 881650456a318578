from datetime import timedelta

import pytest
from django.db.models import F

from apps.operations import claims
from apps.operations.models import Drain, Lane, Operation
from apps.operations.services import submit
from apps.workspaces.models import Workspace

KIND = "catalogue.refresh"


@pytest.fixture
def place(db):
    def make(name):
        return Workspace.objects.get_or_create(name=name, path=f"/opt/{name}")[0]

    return make


def queue(workspace, count=1, lane=""):
    made = [submit(kind=KIND, workspace=workspace, actor=None, params={}, lane=lane).pk for _ in range(count)]
    Operation.objects.filter(pk__in=made).update(due_at=F("due_at") - timedelta(seconds=1))
    return made


def claimed(most):
    return [lease.operation_id for lease in claims.claim(owner="node", most=most)]


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


def test_it_takes_all_there_is_when_only_one_workspace_has_work(place):
    place("quiet")
    crowd = queue(place("crowd"), 3)
    assert set(claimed(10)) == set(crowd)


@pytest.mark.parametrize("lane", ["workspace:crowd", "account:1"])
def test_a_full_lane_lets_no_more_begin(place, lane):
    Lane.objects.create(name=lane, most=2)
    crowd = queue(place("crowd"), 5, lane="account:1")
    assert set(claimed(5)) == set(crowd[:2])
    Operation.objects.filter(pk__in=crowd[:2]).update(status="running")
    assert claimed(5) == []
    Operation.objects.filter(pk=crowd[0]).update(status="completed", due_at=None)
    assert claimed(5) == [crowd[2]]


def test_a_full_lane_lets_what_has_begun_go_on(place):
    Lane.objects.create(name="account:1", most=1)
    first, _ = queue(place("crowd"), 2, lane="account:1")
    Operation.objects.filter(pk=first).update(status="running")
    assert claimed(5) == [first]


def test_nothing_is_taken_while_draining(place):
    [one] = queue(place("quiet"))
    Drain.objects.create()
    assert claimed(5) == []
    Drain.objects.all().delete()
    assert claimed(5) == [one]
