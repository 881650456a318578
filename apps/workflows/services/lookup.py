"""Finding workflows and their steps."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.system.errors import NotFound
from apps.system.list_queries import unindexed
from apps.workflows.definition import APPROVE, RUN
from apps.workflows.models import Step


def workflows_for(user: User | AnonymousUser) -> QuerySet[Operation]:
    """Return the operations that are workflows and that the user may see; a preview runs nothing, and is none."""
    return Operation.objects.visible_to(user).filter(kind=RUN, check_mode=False)


def awaiting_approval(workflows: QuerySet[Operation]) -> QuerySet[Operation]:
    """Select the workflows of which a step waits for an approval."""
    approvals = unindexed(Operation.objects.filter(kind=APPROVE)).filter(due_at__isnull=False).order_by().values("pk")
    waiting = Step.objects.filter(operation__in=approvals, status=Step.Status.RUNNING).order_by().values("workflow")
    return unindexed(workflows).filter(due_at__isnull=False, pk__in=waiting)


def workflow_for(user: User, id: UUID) -> Operation:
    """Return a workflow's operation. Raises NotFound, also for an operation that is no workflow."""
    operation = workflows_for(user).select_related("workspace").filter(pk=id).first()
    if operation is None:
        raise NotFound(what="workflow", id=id)
    return operation


def steps_of(operation: Operation) -> QuerySet[Step]:
    """Return the steps of a workflow, in order."""
    return Step.objects.filter(workflow=operation.pk).order_by("position", "index")
