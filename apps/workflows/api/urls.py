"""The paths of workflows."""

from django.urls import path

from apps.workflows.api.definitions import DefinitionViewSet
from apps.workflows.api.freeze import FreezeViewSet
from apps.workflows.api.graphs import GraphViewSet
from apps.workflows.api.schedules import ScheduleViewSet
from apps.workflows.api.views import WorkflowViewSet

urlpatterns = [
    path("workflows", WorkflowViewSet.as_view({"get": "list", "post": "create"})),
    path("workflows/submit", WorkflowViewSet.as_view({"post": "submit"})),
    path("workflows/types", WorkflowViewSet.as_view({"get": "types"})),
    path("workflows/types/<str:name>/graph.svg", GraphViewSet.as_view({"get": "type_picture"})),
    path("workflows/types/<str:name>/graph.json", GraphViewSet.as_view({"get": "type_data"})),
    path("workflows/<str:id>/graph.svg", GraphViewSet.as_view({"get": "picture"})),
    path("workflows/<str:id>/graph.json", GraphViewSet.as_view({"get": "data"})),
    path("workflows/definition-schema", DefinitionViewSet.as_view({"get": "definition_schema"})),
    path("workflows/definitions", DefinitionViewSet.as_view({"get": "list", "post": "create"})),
    path("workflows/definitions/<str:name>", DefinitionViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("workflows/<str:id>", WorkflowViewSet.as_view({"get": "retrieve"})),
    path("workflows/<str:id>/cancel", WorkflowViewSet.as_view({"post": "cancel"})),
    path("workflows/<str:id>/approve", WorkflowViewSet.as_view({"post": "approve"})),
    path("workflows/<str:id>/reject", WorkflowViewSet.as_view({"post": "reject"})),
    path("workflows/<str:id>/details", WorkflowViewSet.as_view({"get": "details"})),
    path("workflows/<str:id>/resume", WorkflowViewSet.as_view({"post": "resume"})),
    path("workflows/<str:id>/rollback", WorkflowViewSet.as_view({"post": "rollback"})),
    path("workflows/<str:id>/steps/<str:name>/retry", WorkflowViewSet.as_view({"post": "retry_step"})),
    path("workflows/<str:id>/steps/<str:name>/skip", WorkflowViewSet.as_view({"post": "skip_step"})),
    path("workflows/<str:id>/override-freeze", WorkflowViewSet.as_view({"post": "override_freeze"})),
    path("schedules", ScheduleViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "schedules/<str:id>",
        ScheduleViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("schedules/<str:id>/pause", ScheduleViewSet.as_view({"post": "pause"})),
    path("schedules/<str:id>/unpause", ScheduleViewSet.as_view({"post": "unpause"})),
    path("schedules/<str:id>/run", ScheduleViewSet.as_view({"post": "run"})),
    path("freeze-windows", FreezeViewSet.as_view({"get": "list", "post": "create"})),
    path("freeze-windows/<str:id>", FreezeViewSet.as_view({"delete": "destroy"})),
    path("workflows/<str:id>/steps", WorkflowViewSet.as_view({"get": "steps"})),
]
