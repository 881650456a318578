"""The paths of operations and metrics."""

from django.urls import path

from apps.operations.api.metrics import MetricsViewSet
from apps.operations.api.streams import EventViewSet
from apps.operations.api.views import OperationViewSet

urlpatterns = [
    path("operations", OperationViewSet.as_view({"get": "list"})),
    path("operations/<str:id>", OperationViewSet.as_view({"get": "retrieve"})),
    path("operations/<str:id>/events", OperationViewSet.as_view({"get": "events"})),
    path("operations/<str:id>/cancel", OperationViewSet.as_view({"post": "cancel"})),
    path("events", EventViewSet.as_view({"get": "stream"})),
    path("metrics", MetricsViewSet.as_view({"get": "retrieve"})),
]
