"""A failure at each step in turn: rollback leaves nothing, resuming completes; lost workers change nothing of that."""

import itertools
from contextlib import suppress

import pytest

from apps.operations import registry, transitions
from apps.operations.errors import Refused
from apps.operations.handler_api import Context
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.workflows.models import Workflow
from tests.workflows.conftest import step

NAMES = ["a", "b", "c[0]", "c[1]", "d"]
PARAMETERS = {"properties": {"breaks": {"type": "string"}}}
FAILS = "{{ 9 if parameters.breaks == '%s' else 0 }}"


def definition():
    """A graph with a step of many, of which the named one breaks."""
    many = step("c", ["a"], for_each=[0, 1], given={"name": "c[{{ item }}]", "fails": MANY_FAILS})
    single = [
        step(name, needs, given={"fails": FAILS % name}) for name, needs in (("a", []), ("b", ["a"]), ("d", ["b", "c"]))
    ]
    return [single[0], single[1], many, single[2]]


MANY_FAILS = "{{ 9 if parameters.breaks == 'c[' ~ item ~ ']' else 0 }}"


def work(lose_every=None):
    """Do what is due to the end; with `lose_every`, of some steps the worker is lost before their outcome is stored.

    No operation loses its worker twice in a row: an engine gives up what has lost three.
    """
    steps, lost = itertools.count(1), set()
    for number in itertools.count(1):
        assert number < 500
        Operation.objects.unfinished().filter(lease_owner="").update(due_at=leases.in_seconds(-0.01))
        claimed = leases.claim(owner="node", max_count=100)
        if not claimed:
            return
        for lease in claimed:
            if lose_every and next(steps) % lose_every == 0 and lease.operation_id not in lost:
                lost.add(lease.operation_id)
                lose(lease)
            else:
                lost.discard(lease.operation_id)
                runner.run(str(lease.operation_id), lease.fence)


def lose(lease):
    """Run a step of which nobody hears, and let its lease run out."""
    row = transitions.set_running(lease)
    kind = registry.kind_named(row.kind)
    with suppress(Refused):
        (kind.compensate if row.is_undoing else kind.run)(Context(row, lease, transitions.write))
    Operation.objects.filter(pk=row.pk).update(due_at=leases.in_seconds(-0.01))


@pytest.mark.parametrize("lose_every", [None, 3], ids=["kept", "lost"])
@pytest.mark.parametrize("breaks", NAMES)
def test_rollback_leaves_nothing_and_resuming_completes(define, submit, api, alice, world, breaks, lose_every):
    define("breaks", steps=definition(), parameters=PARAMETERS, on_failure="rollback")
    operation = submit("breaks", breaks=breaks)
    work(lose_every)
    row = Operation.objects.get(pk=operation["id"])
    assert (row.status, world.made, row.result) == ("failed", [], None)
    body = {"parameters": {"breaks": ""}}
    again = api(alice).post(f"/v1/workflows/{operation['id']}/resume", body).json()
    work(lose_every)
    assert Operation.objects.get(pk=again["id"]).status == "completed"
    assert sorted(world.made) == sorted(NAMES)


@pytest.mark.parametrize("breaks", NAMES)
def test_what_is_kept_is_not_done_again(define, submit, api, alice, world, breaks):
    define("breaks", steps=definition(), parameters=PARAMETERS, on_failure="stop")
    operation = submit("breaks", breaks=breaks)
    work()
    left = {each["step"] for each in Operation.objects.get(pk=operation["id"]).result["left"]}
    assert breaks in left
    before = list(world.history)
    again = api(alice).post(f"/v1/workflows/{operation['id']}/resume", {"parameters": {"breaks": ""}}).json()
    work()
    assert Workflow.objects.get(pk=again["id"]).operation.status == "completed"
    assert sorted(world.made) == sorted(NAMES)
    done_again = {line[1:] for line in world.history[len(before) :] if line.startswith("+")}
    assert done_again.isdisjoint({line[1:] for line in before if line.startswith("+")} - {breaks})
