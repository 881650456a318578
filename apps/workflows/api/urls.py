"""The paths of workflows."""

from django.urls import path

from apps.workflows.api.views import WorkflowViewSet

urlpatterns = [
    path("workflows", WorkflowViewSet.as_view({"get": "list"})),
    path("workflows/submit", WorkflowViewSet.as_view({"post": "submit"})),
    path("workflows/types", WorkflowViewSet.as_view({"get": "types"})),
    path("workflows/<str:id>", WorkflowViewSet.as_view({"get": "retrieve"})),
    path("workflows/<str:id>/cancel", WorkflowViewSet.as_view({"post": "cancel"})),
    path("workflows/<str:id>/steps", WorkflowViewSet.as_view({"get": "steps"})),
]
