"""Graphs and pictures over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.operations.api.views import uuid_of
from apps.system.api.views import APIViewSet
from apps.system.errors import NotFound
from apps.workflows import services
from apps.workflows.api.known_types import WORKSPACE_OF_TYPES, known_types
from apps.workflows.definition import Definition
from apps.workflows.graph import graph_of
from apps.workflows.models import Workflow
from apps.workflows.services import graphs

SVG = "image/svg+xml"
PICTURE = {(200, SVG): OpenApiTypes.STR}


class NodeOut(serializers.Serializer):
    """A step, with all operations that it stands for."""

    name = serializers.CharField(help_text="The name of the step.")
    uses = serializers.CharField()
    status = serializers.CharField(help_text="Empty in the graph of a type.")
    count = serializers.IntegerField(
        allow_null=True, help_text="The number of its operations; null while that is not known."
    )
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="The numbers of its operations, by status."
    )
    rollback = serializers.CharField(help_text="`running`, `completed` or `failed` once it is taken back; or empty.")
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True, help_text="How long it has taken so far; null before it starts.")
    operation = serializers.UUIDField(allow_null=True, help_text="Its operation, where it has exactly one.")
    critical = serializers.BooleanField(help_text="Whether it is on the critical path.")


class EdgeOut(serializers.Serializer):
    """A dependency between two steps."""

    to = serializers.CharField(help_text="The step that needs the other one.")
    outcome = serializers.ChoiceField(
        ["success", "failure", "always"], help_text="The outcome of the other one that it needs."
    )

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python's."""
        return {"from": serializers.CharField(), **super().get_fields()}


class GraphOut(serializers.Serializer):
    """The graph of a workflow."""

    title = serializers.CharField()
    nodes = NodeOut(many=True, help_text="The steps.")
    edges = EdgeOut(many=True, help_text="Which step needs which.")
    critical_path = serializers.ListField(
        child=serializers.CharField(), help_text="The names of the steps that decide how long it takes, in order."
    )


class GraphViewSet(APIViewSet):
    """Show the graphs of workflows and workflow types, as data and as graphs."""

    queryset, serializer_class = Workflow.objects.all(), GraphOut
    permissions = dict.fromkeys(("data", "picture", "type_data", "type_picture"), "workflow_read")
    query_parameters = {"type_data": {"workspace"}, "type_picture": {"workspace"}}

    @extend_schema(responses=GraphOut)
    def data(self, request: Any, id: str) -> Response:
        """Show a workflow's graph: steps with state, duration and operation, needs, the critical path."""
        workflow = services.workflow_for(request.user, uuid_of("workflow", id))
        return Response(dict(GraphOut(graphs.graph_of_workflow(workflow)).data))

    @extend_schema(responses=PICTURE)
    def picture(self, request: Any, id: str) -> HttpResponse:
        """Draw a workflow as it stands; steps link to their operations in the admin."""
        workflow = services.workflow_for(request.user, uuid_of("workflow", id))
        graph = graphs.graph_of_workflow(workflow)
        return HttpResponse(graphs.svg(graph, admin_links(graph)), content_type=SVG)

    @extend_schema(parameters=[WORKSPACE_OF_TYPES], responses=GraphOut)
    def type_data(self, request: Any, name: str) -> Response:
        """Show the graph of a workflow type: its steps and needs."""
        return Response(dict(GraphOut(graph_of(definition_of(request, name))).data))

    @extend_schema(parameters=[WORKSPACE_OF_TYPES], responses=PICTURE)
    def type_picture(self, request: Any, name: str) -> HttpResponse:
        """Draw a workflow type."""
        return HttpResponse(graphs.svg_of_definition(definition_of(request, name)), content_type=SVG)


def definition_of(request: Any, name: str) -> Definition:
    """Return the definition of a type. Raises UnknownWorkspace (400), NotFound."""
    found = known_types(request).get(name)
    if found is None:
        raise NotFound(what="workflow type", id=name[:60] if name.isprintable() else "of that form")
    return found.definition


def admin_links(graph: dict[str, Any]) -> dict[str, str]:
    """Return the admin page of each step's operation."""
    page = "admin:operations_operation_change"
    found = {node["name"]: node["operation"] for node in graph["nodes"] if node["operation"]}
    return {name: reverse(page, args=[operation]) for name, operation in found.items()}
