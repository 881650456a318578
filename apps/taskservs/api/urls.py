"""The paths of taskservs."""

from django.urls import path

from apps.taskservs.api.views import TaskservViewSet

urlpatterns = [
    path("taskservs", TaskservViewSet.as_view({"get": "list"})),
    path("taskservs/create", TaskservViewSet.as_view({"post": "create"})),
    path("taskservs/catalog", TaskservViewSet.as_view({"get": "catalog"})),
    path(
        "taskservs/<str:id>",
        TaskservViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("taskservs/<str:id>/credentials", TaskservViewSet.as_view({"get": "credentials"})),
    path("taskservs/<str:id>/configure", TaskservViewSet.as_view({"post": "configure"})),
    path("taskservs/<str:id>/upgrade", TaskservViewSet.as_view({"post": "upgrade"})),
    path("taskservs/<str:id>/verify", TaskservViewSet.as_view({"post": "verify"})),
]
