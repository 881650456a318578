"""Cancel is true in every state: nothing happened, or it is undone, and nothing of it runs on."""

import pytest
from django.db import connection

from apps.operations import cancellation
from apps.operations.errors import AlreadyEnded
from apps.operations.models import Operation
from tests.operations.fleet import eventually
from tests.operations.probes import ledger
from tests.operations.processes import is_alive

LISTENING = ("sleep", "busy_loop", "start_programs")
DEAF = ("ignore_interrupts", "compute", "hold_gil")


def test_it_cancels_in_every_state(fleet, submit, ended, began):
    pending = submit("sleep.undoable", seconds=1)
    assert cancellation.cancel(operation=pending).status == "cancelled"
    assert Operation.objects.get(pk=pending.pk).due_at is None

    node = fleet.start(WORKERS="4")
    resting = [submit("wait.undoable", times=1, seconds=600), submit("wait", times=1, seconds=600)]
    listening = [submit(f"{name}.undoable", seconds=600) for name in LISTENING]
    for operation in resting:
        eventually(lambda one=operation: Operation.objects.filter(pk=one.pk, lease_owner="", status="running").exists())
    workers = {began(operation) for operation in listening}
    for operation in (*resting, *listening):
        assert cancellation.cancel(operation=operation).status == "cancelled", operation
    ended(*resting, *listening)
    assert workers <= set(node.workers), "who listens lives on"

    employed = listening[LISTENING.index("start_programs")]
    programs = [int(pid) for _, _, pid in ledger.lines(employed.pk, "child")]
    assert programs
    assert not any(map(is_alive, programs))
    with_undo = [resting[0], *listening]
    assert [len(ledger.lines(one.pk, "undone")) for one in with_undo] == [1] * len(with_undo)
    assert not ledger.lines(pending.pk)
    with pytest.raises(AlreadyEnded):
        cancellation.cancel(operation=Operation.objects.get(pk=pending.pk))


@pytest.mark.slow
def test_it_cancels_what_is_deaf(fleet, submit, ended, began):
    node = fleet.start(WORKERS="5")
    deaf = [submit(f"{name}.undoable") for name in DEAF]
    deaf += [submit("query.undoable")] if connection.vendor == "postgresql" else []
    last = submit("sleep.undo_dies", seconds=600)
    for operation in (*deaf, last):
        began(operation)
    for operation in deaf:
        Operation.objects.filter(pk=operation.pk).update(cancel_requested_at=operation.created_at)
    cancellation.cancel(operation=last)
    done = ended(*deaf, last)
    assert {one.status for one in done} == {"cancelled"}
    assert [len(ledger.lines(one.pk, "undone")) for one in deaf] == [1] * len(deaf)
    assert done[-1].error.startswith("Cancelled, but not everything could be undone")
    node.settled()
    assert not queries_running()


def queries_running():
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(%' "
            "AND state <> 'idle' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]
