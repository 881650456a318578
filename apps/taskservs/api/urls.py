"""The paths of taskservs."""

from django.urls import path

from apps.taskservs.api.views import TaskservViewSet

urlpatterns = [
    path("taskservs", TaskservViewSet.as_view({"get": "list"})),
    path("taskservs/create", TaskservViewSet.as_view({"post": "create"})),
    path("taskservs/catalog", TaskservViewSet.as_view({"get": "catalog"})),
    path("taskservs/<str:id>", TaskservViewSet.as_view({"delete": "destroy"})),
]
