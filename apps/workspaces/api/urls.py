"""The paths of workspaces."""

from django.urls import path

from apps.workspaces.api.views import WorkspaceViewSet

urlpatterns = [
    path("workspaces", WorkspaceViewSet.as_view({"get": "list"})),
    path("workspaces/create", WorkspaceViewSet.as_view({"post": "create"})),
]
