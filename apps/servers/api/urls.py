"""The paths of servers."""

from django.urls import path

from apps.servers.api.discovery import InventoryViewSet, PrometheusTargetsViewSet
from apps.servers.api.drift_repair import OrphanViewSet, RepairViewSet
from apps.servers.api.views import ServerViewSet

urlpatterns = [
    path("servers", ServerViewSet.as_view({"get": "list", "post": "order"})),
    path("servers/create", ServerViewSet.as_view({"post": "create"})),
    path(
        "servers/<str:id>",
        ServerViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("servers/<str:id>/status", ServerViewSet.as_view({"get": "status"})),
    path("servers/<str:id>/start", ServerViewSet.as_view({"post": "start"})),
    path("servers/<str:id>/stop", ServerViewSet.as_view({"post": "stop"})),
    path("servers/<str:id>/reboot", ServerViewSet.as_view({"post": "reboot"})),
    path("servers/<str:id>/adopt", RepairViewSet.as_view({"post": "adopt"})),
    path("servers/<str:id>/recreate", RepairViewSet.as_view({"post": "recreate"})),
    path("servers/<str:id>/forget", RepairViewSet.as_view({"post": "forget"})),
    path("orphans", OrphanViewSet.as_view({"get": "list"})),
    path("orphans/<str:id>", OrphanViewSet.as_view({"delete": "destroy"})),
    path("orphans/<str:id>/adopt", OrphanViewSet.as_view({"post": "adopt"})),
    path("inventory", InventoryViewSet.as_view({"get": "retrieve"})),
    path("sd/prometheus", PrometheusTargetsViewSet.as_view({"get": "retrieve"})),
]
