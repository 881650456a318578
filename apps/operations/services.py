"""Submitting operations and finding them; `cancellation` cancels them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import User
from apps.operations import events, registry
from apps.operations.errors import TargetBusy
from apps.operations.models import Event, Operation
from apps.operations.observability import counters
from apps.system.client_address import current_client_address
from apps.system.database import integrity_error_as
from apps.system.errors import NotFound
from apps.system.redaction import redact_text
from apps.workspaces.models import Workspace
from apps.workspaces.services import mark_used

together: ContextVar[list[Operation] | None] = ContextVar("together", default=None)


@contextmanager
def insert_together() -> Iterator[None]:
    """Insert the operations that are submitted in the block at its end, in one statement.

    Those with a target are inserted at once, as rules look for whatever holds a target.
    """
    waiting: list[Operation] = []
    token = together.set(waiting)
    try:
        yield
    finally:
        together.reset(token)
    Operation.objects.bulk_create(waiting)


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
    limit_key: str = "",
) -> Operation:
    """Queue an operation; called in the transaction of the change it stands for.

    `target` names what it changes: a second unfinished operation on the same target is refused. `time_limit`, in
    seconds, replaces the kind's own. `limit_key` is the name of its concurrency limit. Raises TargetBusy.
    """
    time_limit = time_limit or registry.kind_named(kind).deadline_seconds
    if target and not target_is_new:
        refuse_if_busy(target)
    operation = Operation(
        kind=kind,
        workspace=workspace,
        actor=actor,
        requested_from=current_client_address(),
        target=target,
        params=params,
        check_mode=check_mode,
        parent=parent,
        time_limit=time_limit,
        limit_key=limit_key,
    )
    insert(operation)
    if workspace is not None:
        mark_used(workspace)
    return operation


def insert(operation: Operation) -> None:
    """Insert a new operation, now or with others. Raises TargetBusy."""
    waiting = together.get()
    if waiting is not None and not operation.target:
        waiting.append(operation)
        return
    busy = TargetBusy(target=operation.target, holder="submitted at the same moment")
    with integrity_error_as(busy, "one_unfinished_operation_per_target"):
        operation.save(force_insert=True)


def record_refusal(
    *, kind: str, workspace: Workspace | None, target: str, params: dict[str, Any], code: str, message: str
) -> Operation:
    """Store a refusal of a scheduled change as a failed operation; no outcome is applied."""
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
    events.append(operation, Event.Level.ERROR, message)
    return operation


def refuse_if_busy(target: str) -> None:
    """Refuse when an unfinished operation holds the target. Raises TargetBusy naming it."""
    holder = Operation.objects.unfinished().filter(target=target).values_list("id", flat=True).first()
    if holder:
        raise TargetBusy(target=target, holder=holder)


def holder_of(target: str) -> Operation | None:
    """Return the unfinished operation that holds the target."""
    return Operation.objects.unfinished().filter(target=target).first()


def lock_holder(target: str) -> None:
    """Lock the unfinished operation that holds the target, for the rest of the transaction."""
    Operation.objects.unfinished().filter(target=target).select_for_update().first()


def operation_for(user: User, id: UUID) -> Operation:
    """Return an operation the user may see. Raises NotFound."""
    operation = Operation.objects.visible_to(user).select_related("workspace").filter(pk=id).first()
    if operation is None:
        raise NotFound(what="operation", id=id)
    return operation


def counts() -> dict[str, int]:
    """Count operations: all, and those running."""
    return {"total": counters.total(), "running": counters.running()}
