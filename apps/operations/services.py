"""Submitting and cancelling operations."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import events, registry, transitions
from apps.operations.errors import AlreadyEnded, TargetBusy
from apps.operations.models import Event, Operation
from apps.system.errors import NotFound
from apps.system.redaction import redact_text
from apps.system.services import refused_as
from apps.workspaces.models import Workspace
from apps.workspaces.services import mark_used


def submit(
    *,
    kind: str,
    workspace: Workspace | None,
    actor: User | None,
    params: dict[str, Any],
    target: str = "",
    target_is_new: bool = False,
    check_mode: bool = False,
    parent: Operation | None = None,
    time_limit: float | None = None,
    lane: str = "",
) -> Operation:
    """Queue an operation; called in the transaction of the change it stands for.

    `target` names what it changes: a second unfinished operation on the same target is refused. `time_limit`, in
    seconds, replaces the kind's own. `lane` names what it shares with others, for caps. Raises TargetBusy.
    """
    time_limit = time_limit or registry.kind_named(kind).deadline_seconds
    if target and not target_is_new:
        refuse_if_busy(target)
    with refused_as(TargetBusy(target=target, holder="submitted at the same moment")):
        operation = Operation.objects.create(
            kind=kind,
            workspace=workspace,
            actor=actor,
            target=target,
            params=params,
            check_mode=check_mode,
            parent=parent,
            time_limit=time_limit,
            lane=lane,
        )
    if workspace is not None:
        mark_used(workspace)
    return operation


def record_refusal(
    *, kind: str, workspace: Workspace | None, target: str, params: dict[str, Any], code: str, message: str
) -> Operation:
    """Write down as a failed operation what was refused when nobody was there to be told; nothing is settled by it."""
    operation = Operation.objects.create(
        kind=kind,
        workspace=workspace,
        target=target,
        params=params,
        status=Operation.Status.FAILED,
        error_code=code,
        error=redact_text(message),
        due_at=None,
        ended_at=timezone.now(),
    )
    events.append(operation.pk, Event.Level.ERROR, message)
    return operation


def refuse_if_busy(target: str) -> None:
    """Refuse when an unfinished operation holds the target. Raises TargetBusy naming it."""
    holder = Operation.objects.unfinished().filter(target=target).values_list("id", flat=True).first()
    if holder:
        raise TargetBusy(target=target, holder=holder)


def holder_of(target: str) -> Operation | None:
    """Return the unfinished operation that holds the target."""
    return Operation.objects.unfinished().filter(target=target).first()


def operation_for(user: User, id: UUID) -> Operation:
    """Return an operation the user may see. Raises NotFound."""
    operation = Operation.objects.visible_to(user).select_related("workspace").filter(pk=id).first()
    if operation is None:
        raise NotFound(what="operation", id=id)
    return operation


def cancel(*, operation: Operation) -> Operation:
    """Cancel an operation and return it as it then truly is.

    One that no worker is at work on is cancelled at once. Otherwise the worker is told, and has
    `cancel_wait_seconds` to stop before this returns. Raises AlreadyEnded.
    """
    give_up = time.monotonic() + settings.OPERATIONS["cancel_wait_seconds"]
    asked = False
    while not transitions.cancel_idle(operation):
        asked = transitions.ask_to_stop(operation) or asked
        operation.refresh_from_db()
        if operation.has_ended and not asked:
            raise AlreadyEnded(operation=operation.pk, status=operation.status)
        if operation.has_ended or time.monotonic() > give_up:
            return operation
        time.sleep(0.05)
    operation.refresh_from_db()
    return operation


def counts() -> dict[str, int]:
    """Count operations: all, and those running."""
    running = Q(status=Operation.Status.RUNNING)
    return Operation.objects.aggregate(total=Count("pk"), running=Count("pk", filter=running))
