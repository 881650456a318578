"""Runs workflows step by step, as a worker does."""

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner


def statuses(steps):
    """Return the status of each step by name."""
    return {name: each["status"] for name, each in steps.items()}


def ended(operation):
    """Return status and error of an operation that has ended."""
    row = Operation.objects.get(pk=operation["id"])
    assert row.due_at is None
    return row.status, row.error


def run_one(operation):
    """Run one step of one operation, and of no other."""
    Operation.objects.unfinished().filter(pk=operation).update(due_at=leases.in_seconds(-1))
    claimed = leases.claim(owner="one", max_count=100)
    for lease in claimed:
        if str(lease.operation_id) == str(operation):
            runner.run(str(lease.operation_id), lease.fence)
        else:
            Operation.objects.filter(pk=lease.operation_id).update(lease_owner="", due_at=leases.in_seconds(3600))


def run_round(operation):
    """Run one step of a workflow, then one of each of its pending operations."""
    run_one(operation["id"])
    for child in Operation.objects.filter(parent=operation["id"], status="pending"):
        run_one(child.pk)
