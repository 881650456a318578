"""Workflows over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.operations.api.views import uuid_of
from apps.operations.models import Operation
from apps.system.api import json_rows
from apps.system.api.fields import EmptyBody, valid
from apps.system.api.filters import ChoiceFilter, ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.workflows import services
from apps.workflows.api.interventions import InterventionMixin
from apps.workflows.api.known_types import WORKSPACE_OF_TYPES, known_types
from apps.workflows.api.serializers import StepOut, TypeOut, WorkflowCreate, WorkflowDetail, WorkflowOut, WorkflowSubmit
from apps.workflows.permissions import required_permissions
from apps.workflows.services.definitions import Found
from apps.workflows.services.step_view import details_of, shown_steps


def type_of(name: str, known: Mapping[str, Found]) -> dict[str, Any]:
    """Return what the API shows of one of the workflow types that there are."""
    found = known[name]
    permissions = required_permissions(found.definition, lambda type: known[type].definition if type in known else None)
    return {**vars(found.definition), "name": name, "origin": found.source, "permissions": permissions}


class WorkflowFilters(ListFilters):
    """The filters of the list of workflows."""

    status = ChoiceFilter(choices=Operation.Status.choices)
    workspace = RelatedNameFilter(field_name="workspace__name")
    workflow_type = django_filters.CharFilter(field_name="workflow__type")
    waiting = ChoiceFilter(choices=[("approval", "for an approval")], method="filter_waiting")

    def filter_waiting(self, queryset: Any, name: str, value: str) -> Any:
        """Pick those that wait for an approval."""
        return services.awaiting_approval(queryset)


class WorkflowViewSet(InterventionMixin, ListViewSet):
    """Submit, list, show, explain, decide and cancel workflows."""

    queryset, serializer_class, filterset_class = Operation.objects.all(), WorkflowOut, WorkflowFilters
    orderings, few_values = ("created_at", "updated_at", "status"), ("status",)
    permissions = {
        "list": "workflow_read",
        "types": "workflow_read",
        "retrieve": "workflow_read",
        "steps": "workflow_read",
        "details": "workflow_read",
        "submit": "workflow_submit",
        "create": "workflow_submit",
        "cancel": "workflow_cancel",
        **InterventionMixin.permissions,
    }

    query_parameters = {"types": {"workspace"}, "rollback": {"check_mode"}}

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return services.workflows_for(self.request.user)

    @extend_schema(request=WorkflowSubmit, responses=OperationOut)
    @idempotent
    def submit(self, request: Any) -> Response:
        """Submit a workflow, or preview it; the answer is its operation."""
        return answer(services.submit_workflow(actor=request.user, **valid(WorkflowSubmit, request)))

    @extend_schema(request=WorkflowCreate, responses=OperationOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Submit a workflow as at `/v1/workflows/submit`, also in spite of a freeze window."""
        return answer(services.submit_workflow(actor=request.user, **valid(WorkflowCreate, request)))

    @extend_schema(parameters=[WORKSPACE_OF_TYPES], responses=TypeOut(many=True))
    def types(self, request: Any) -> Response:
        """List the types of workflow, with the schema of their parameters."""
        known = known_types(request)
        return Response([TypeOut(type_of(type, known)).data for type in known])

    def retrieve(self, request: Any, id: str) -> HttpResponse:
        """Show a workflow."""
        key = uuid_of("workflow", id)
        return json_rows.one(self.get_queryset().filter(pk=key), WorkflowOut, what="workflow", id=key)

    @extend_schema(responses=WorkflowDetail)
    def details(self, request: Any, id: str) -> Response:
        """Show a workflow's parameters, origin and outputs, and what it resumes or is resumed by."""
        workflow = services.workflow_for(request.user, uuid_of("workflow", id))
        return Response(details_of(workflow))

    @extend_schema(responses=StepOut(many=True))
    def steps(self, request: Any, id: str) -> Response:
        """List a workflow's steps, in the order of its definition."""
        workflow = services.workflow_for(request.user, uuid_of("workflow", id))
        return Response([dict(StepOut(step).data) for step in shown_steps(workflow)])

    @extend_schema(request=None, responses=OperationOut)
    @idempotent
    def cancel(self, request: Any, id: str) -> Response:
        """Cancel a workflow; what it has under way is stopped, and what it made is taken back."""
        valid(EmptyBody, request)
        return answer(services.cancel_workflow(operation=services.workflow_for(request.user, uuid_of("workflow", id))))
