"""What people do to a workflow over HTTP: approve, reject, resume, roll back, retry and skip."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.operations.api.views import uuid_of
from apps.operations.models import Operation
from apps.system.api.fields import EmptyBody, valid
from apps.system.api.idempotency import idempotent
from apps.workflows import services
from apps.workflows.api.serializers import Decision, Reason, Resume
from apps.workflows.services import approvals, freeze
from apps.workflows.services.resume import resume_workflow
from apps.workflows.services.rollback import roll_back_workflow
from apps.workflows.services.single_steps import retry_step, skip_step


class InterventionMixin:
    """The actions by which a person intervenes in a workflow."""

    permissions = {
        "approve": "workflow_read",  # the definition says what else it takes
        "reject": "workflow_read",
        "override_freeze": "workflow_cancel",
        "resume": "workflow_submit",
        "rollback": "workflow_cancel",
        "retry_step": "workflow_submit",
        "skip_step": "workflow_submit",
    }

    @extend_schema(request=Decision, responses=OperationOut)
    @idempotent
    def approve(self, request: Any, id: str) -> Response:
        """Approve what a workflow waits for; the definition says who may."""
        return self.decide(request, id, approve=True)

    @extend_schema(request=Decision, responses=OperationOut)
    @idempotent
    def reject(self, request: Any, id: str) -> Response:
        """Reject what a workflow waits for: its step fails."""
        return self.decide(request, id, approve=False)

    @extend_schema(request=Reason, responses=OperationOut)
    @idempotent
    def override_freeze(self, request: Any, id: str) -> Response:
        """Start a workflow that a freeze window holds; the reason is logged."""
        workflow, given = with_reason(request, id)
        return answer(freeze.override_freeze(workflow=workflow, actor=request.user, **given))

    @extend_schema(request=Resume, responses=OperationOut)
    @idempotent
    def resume(self, request: Any, id: str) -> Response:
        """Resume a workflow that failed or was cancelled; the answer is the workflow that goes on."""
        given = valid(Resume, request)
        return answer(resume_workflow(operation=workflow_at(request, id), actor=request.user, **given))

    @extend_schema(
        parameters=[OpenApiParameter("check_mode", bool, description="Only list what it would destroy and keep.")],
        request=None,
        responses=OperationOut,
    )
    @idempotent
    def rollback(self, request: Any, id: str) -> Response:
        """Roll back a workflow that has ended: take back what it made."""
        valid(EmptyBody, request)
        workflow = workflow_at(request, id)
        place = workflow.workspace.name if workflow.workspace else ""
        rollback = roll_back_workflow(
            workspace=place,
            workflow_id=str(workflow.pk),
            actor=request.user,
            check_mode=flag(request, "check_mode"),
        )
        return answer(rollback)

    @extend_schema(request=Reason, responses=OperationOut)
    @idempotent
    def retry_step(self, request: Any, id: str, name: str) -> Response:
        """Retry a failed step, and resume the workflow where that has ended; the reason is logged."""
        workflow, given = with_reason(request, id)
        return answer(retry_step(workflow=workflow, step=name, actor=request.user, **given))

    @extend_schema(request=Reason, responses=OperationOut)
    @idempotent
    def skip_step(self, request: Any, id: str, name: str) -> Response:
        """Skip a step, and resume the workflow where that has ended; the reason is logged."""
        workflow, given = with_reason(request, id)
        return answer(skip_step(workflow=workflow, step=name, actor=request.user, **given))

    def decide(self, request: Any, id: str, *, approve: bool) -> Response:
        """Record a decision."""
        given = valid(Decision, request)
        workflow = workflow_at(request, id)
        return answer(approvals.decide(workflow=workflow, actor=request.user, approve=approve, **given))


def with_reason(request: Any, id: str) -> tuple[Operation, dict[str, Any]]:
    """Return the workflow that a path names, and the reason in the body. Raises ValidationError, NotFound."""
    valid(Reason, request, partial=True)
    workflow = workflow_at(request, id)
    return workflow, valid(Reason, request)


def flag(request: Any, name: str) -> bool:
    """Return a truth value of the query. Raises ValidationError."""
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise ValidationError({name: ["Give true or false."]})
    return text == "true"


def workflow_at(request: Any, id: str) -> Operation:
    """Return the workflow that a path names. Raises NotFound."""
    return services.workflow_for(request.user, uuid_of("workflow", id))
