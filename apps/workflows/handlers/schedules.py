"""The worker's side of schedules: submit the workflow when its time has come."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.operations.handler_api import Context, Done, Wait
from apps.workflows.models import Schedule
from apps.workflows.progress import Progress, progress_of
from apps.workflows.services import schedules

LOOK_AGAIN = 30.0


def fire_schedule(context: Context) -> Done | Wait:
    """Submit the workflow of a schedule once, or leave this time out while the workflow before has not ended.

    Raises what a submission raises; then this time is left out too, and the operation says why.
    """
    if workflow := progress_of(context.operation).get("workflow"):  # an earlier attempt has submitted it and was lost
        return Done({"workflow_id": workflow})
    schedule = Schedule.objects.select_related("workspace", "actor").filter(fire=context.operation.pk).first()
    if schedule is None:
        return Done({"skipped": "The schedule was changed, paused or deleted."})
    before = schedules.unfinished_before(schedule)
    if before and schedule.overlap == Schedule.Overlap.SKIP:
        return Done({"skipped": f"Workflow {before.pk}, of the time before, has not ended."})
    if before:
        return Wait(LOOK_AGAIN, message=f"waiting for workflow {before.pk}, of the time before, to end", queued=True)
    with transaction.atomic():
        operation = schedules.submit_for(schedule, schedule.actor)
        context.save(**Progress(workflow=str(operation.pk)))
    late = schedules.missed(schedule, datetime.fromisoformat(context.params["at"]))
    return Done({"workflow_id": str(operation.pk), "missed": late})


def repair_schedules() -> None:
    """Plan the next time of schedules that wait for none."""
    schedules.repair_schedules()
