"""Freeze windows: times in which no workflow of a workspace begins."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import transitions
from apps.operations.models import Event, Operation
from apps.system.errors import Forbidden, NotFound
from apps.system.permissions import full_name
from apps.system.redaction import redact_text
from apps.workflows.definition import RUN
from apps.workflows.errors import EndBeforeStart, NotFrozen
from apps.workflows.models import FreezeWindow, Workflow
from apps.workflows.progress import progress_of
from apps.workflows.services.log_lines import append_line
from apps.workspaces.services import workspace_named

OVERRIDER = "workflow_cancel"


def check_override(actor: User | None) -> None:
    """Refuse whoever may not begin a workflow in spite of a freeze window. Raises Forbidden."""
    if actor is not None and not actor.has_perm(full_name(OVERRIDER)):
        raise Forbidden(permission=OVERRIDER)


@transaction.atomic
def create_freeze_window(
    *, workspace: str, actor: User, reason: str, ends_at: datetime, starts_at: datetime | None = None
) -> FreezeWindow:
    """Let no workflow of the workspace begin between two times; by default from now. Raises EndBeforeStart."""
    starts_at = starts_at or timezone.now()
    if ends_at <= starts_at:
        raise EndBeforeStart(field="ends_at")
    place = workspace_named(workspace)
    return FreezeWindow.objects.create(
        workspace=place, reason=reason, starts_at=starts_at, ends_at=ends_at, created_by=actor
    )


@transaction.atomic
def delete_freeze_window(*, id: str) -> FreezeWindow:
    """Remove a freeze window; the workflows that it held begin at once. Raises NotFound."""
    window = FreezeWindow.objects.select_related("workspace").filter(pk=id).first()
    if window is None:
        raise NotFound(what="freeze window", id=id)
    FreezeWindow.objects.filter(pk=id).delete()
    for pk in held_in(window.workspace_id):
        transitions.wake(pk)
    return window


def held_in(workspace: int) -> list[UUID]:
    """Return the ids of the workflows of a workspace that have not begun."""
    unfinished = Operation.objects.unfinished().filter(kind=RUN, workspace=workspace, parent=None)
    return [operation.pk for operation in unfinished.only("state") if not has_begun(operation)]


def has_begun(workflow: Operation) -> bool:
    """Tell whether a workflow has passed the freeze windows; a resumed one has steps that are done before it begins."""
    return "begun" in progress_of(workflow)


def window_holding(operation: Operation) -> FreezeWindow | None:
    """Return the freeze window that keeps a workflow from beginning now, the one that ends last."""
    now = timezone.now()
    open_now = FreezeWindow.objects.filter(workspace=operation.workspace_id, starts_at__lte=now, ends_at__gt=now)
    return open_now.order_by("-ends_at").first()


@transaction.atomic
def override_freeze(*, workflow: Operation, actor: User, reason: str) -> Operation:
    """Let a workflow that a freeze window holds begin now; who and why is logged. Raises Forbidden, NotFrozen."""
    check_override(actor)
    if workflow.has_ended or has_begun(workflow) or window_holding(workflow) is None:
        raise NotFrozen(workflow=workflow.pk)
    Workflow.objects.filter(pk=workflow.pk).update(freeze_override=redact_text(reason))
    append_line(workflow.pk, f"{actor.get_username()} overrides the freeze window: {reason}", Event.Level.WARNING)
    transitions.wake(workflow.pk)
    return workflow
