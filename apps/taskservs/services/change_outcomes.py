"""What the outcome of a change or an upgrade means for the rows."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.taskservs.install_plan import definition_of
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.progress import progress_of
from apps.taskservs.services import installations
from apps.taskservs.services.create import apply_to_part

State = Installation.State


def apply_change_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the rows to what a change came to; one that never began has left everything as it was."""
    if operation.check_mode:
        return
    *required, own = operation.params["plan"]
    for part in required:
        apply_to_part(operation, outcome, part)
    row = Taskserv.objects.filter(pk=own["taskserv"])
    begun = bool(progress_of(operation).get("begun"))
    match outcome:
        case Outcome.COMPLETED:
            Installation.objects.filter(taskserv=own["taskserv"], server__in=operation.params["leaving"]).delete()
            row.update(status=Taskserv.Status.RUNNING, sealed_previous="")
            for taskserv in row.select_related("workspace"):
                definition = definition_of(taskserv)
                installations.note_primary(taskserv.pk, definition.roles)
        case Outcome.UNDOING:
            restore_desired(row, operation, version=False)
        case Outcome.CANCELLED_CLEAN:
            restore(row, operation)
        case Outcome.FAILED if not begun:
            restore(row, operation)
        case Outcome.FAILED | Outcome.CANCELLED_LEFTOVER:
            row.update(sealed_previous="")
            installations.interrupt([own["taskserv"]], operation.error or "")
            installations.set_status([own["taskserv"]])


def restore_desired(row: Any, operation: Operation, *, version: bool) -> None:
    """Make the row ask for what it asked for before the change; the version only where it was not changed anywhere."""
    before = operation.params["before"]
    facts: dict[str, Any] = {"config": before["config"]}
    if row.exclude(sealed_previous="").exists():
        facts["sealed_secrets"] = F("sealed_previous")
    row.update(**facts, **({"version": before["version"]} if version else {}))


def restore(row: Any, operation: Operation) -> None:
    """Bring everything back to what it was before the change: nothing of it is left."""
    restore_desired(row, operation, version=True)
    row.update(status=operation.params["before"]["status"], sealed_previous="")
    own = Installation.objects.filter(taskserv__in=row.values("pk"))
    came = own.filter(server__in=operation.params["joining"]).exclude(
        server__hostname__in=operation.params["before"]["servers"]
    )
    came.delete()
    own.filter(state=State.REMOVING).update(state=State.RUNNING)
