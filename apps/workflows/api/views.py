"""Workflows over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.operations.api.views import uuid_of
from apps.operations.models import Operation
from apps.system.api import rows
from apps.system.api.fields import Nothing, valid
from apps.system.api.lists import ListFilters
from apps.system.api.views import APIViewSet, ListMixin
from apps.workflows import services
from apps.workflows.api.serializers import StepOut, TypeOut, WorkflowOut, WorkflowSubmit
from apps.workflows.definitions import definitions


class WorkflowFilters(ListFilters):
    """How workflows can be picked."""

    status = django_filters.ChoiceFilter(choices=Operation.Status.choices)
    workspace = django_filters.CharFilter(field_name="workspace__name")
    workflow_type = django_filters.CharFilter(field_name="workflow__type")


class WorkflowViewSet(ListMixin, APIViewSet):
    """Submit, list, show, explain and cancel workflows."""

    queryset, serializer_class, filterset_class = Operation.objects.all(), WorkflowOut, WorkflowFilters
    orderings = ("created_at", "updated_at", "status")
    permissions = {
        "list": "workflow_read",
        "types": "workflow_read",
        "retrieve": "workflow_read",
        "steps": "workflow_read",
        "submit": "workflow_submit",
        "cancel": "workflow_cancel",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return services.workflows_for(self.request.user)

    @extend_schema(request=WorkflowSubmit, responses=OperationOut)
    def submit(self, request: Any) -> Response:
        """Submit a workflow; the answer is the operation that it is."""
        return answer(services.submit_workflow(actor=request.user, **valid(WorkflowSubmit, request)))

    @extend_schema(responses=TypeOut(many=True))
    def types(self, request: Any) -> Response:
        """List the types of workflow, with the schema of their parameters."""
        return Response([TypeOut({"name": name, **vars(each)}).data for name, each in definitions().items()])

    def retrieve(self, request: Any, id: str) -> HttpResponse:
        """Show a workflow."""
        key = uuid_of("workflow", id)
        return rows.one(self.get_queryset().filter(pk=key), WorkflowOut, what="workflow", id=key)

    @extend_schema(responses=StepOut(many=True))
    def steps(self, request: Any, id: str) -> HttpResponse:
        """List a workflow's steps, in the order of its definition."""
        workflow = services.workflow_for(request.user, uuid_of("workflow", id))
        return rows.stream(services.steps_of(workflow), StepOut)

    @extend_schema(request=None, responses=OperationOut)
    def cancel(self, request: Any, id: str) -> Response:
        """Cancel a workflow; what it has under way is stopped, and what it made is taken back."""
        valid(Nothing, request)
        return answer(services.cancel_workflow(operation=services.workflow_for(request.user, uuid_of("workflow", id))))
