"""The service's figures: a few as JSON, all for Prometheus."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.response import Response

from apps.operations import services
from apps.operations.api.serializers import MetricsOut
from apps.operations.observability import metrics
from apps.system.api.views import APIViewSet
from apps.system.uptime import uptime_seconds


class MetricsViewSet(APIViewSet):
    """The service's own figures."""

    permissions = {"retrieve": "system_metrics"}

    @extend_schema(responses=MetricsOut, operation_id="metrics")
    def retrieve(self, request: Any) -> Response:
        """Show the uptime and the numbers of operations."""
        return Response({"uptime_seconds": uptime_seconds(), "tasks": services.counts()})


class PrometheusViewSet(APIViewSet):
    """The figures for Prometheus."""

    permissions = {"retrieve": "system_metrics"}

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR}, operation_id="prometheus", tags=["metrics"])
    def retrieve(self, request: Any) -> HttpResponse:
        """Return all metrics in Prometheus' text format."""
        return HttpResponse(metrics.render(), content_type=CONTENT_TYPE_LATEST)
