"""Whether work is being done, for people, load balancers and Prometheus."""

from __future__ import annotations

from typing import Any

from django.db import Error, connection
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.operations import figures, nodes
from apps.operations.models import Drain
from apps.system.api.views import APIViewSet

PATIENCE_SECONDS = 30.0


class PartOut(serializers.Serializer):
    """One part of the service, and what is the matter with it."""

    ok = serializers.BooleanField()
    message = serializers.CharField()


class ReadyOut(serializers.Serializer):
    """Whether work is being done, part by part."""

    status = serializers.ChoiceField(["ready", "not ready"])
    database = PartOut()
    workers = PartOut()
    queue = PartOut()


class ReadyViewSet(APIViewSet):
    """The deep health check; it needs no token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: ReadyOut, 503: ReadyOut}, operation_id="ready", tags=["health"])
    def retrieve(self, request: Any) -> Response:
        """Answer 200 when work is being done, else 503."""
        parts = examine()
        ready = all(part["ok"] for part in parts.values())
        return Response({"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503)


def examine() -> dict[str, dict[str, Any]]:
    """Look at database, workers and queue."""
    try:
        live, drained, age = nodes.live().count(), Drain.objects.exists(), nodes.oldest_due_seconds()
    except Error:
        connection.close()
        unknown = part(False, "Not known without the database.")
        return {"database": part(False, "It does not answer."), "workers": unknown, "queue": unknown}
    return {
        "database": part(True, "It answers."),
        "workers": part(live > 0, f"{live} live." if live else "None is running; start `manage.py worker`."),
        "queue": part(not drained and age < PATIENCE_SECONDS, queue_message(drained, age)),
    }


def queue_message(drained: bool, age: float) -> str:
    """Describe the queue."""
    return "Drained: no work is begun." if drained else f"The oldest due operation has waited {age:.1f} s."


def part(ok: bool, message: str) -> dict[str, Any]:
    """Describe one part."""
    return {"ok": ok, "message": message}


class PrometheusViewSet(APIViewSet):
    """The figures for Prometheus."""

    permissions = {"retrieve": "system_metrics"}

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR}, operation_id="prometheus", tags=["metrics"])
    def retrieve(self, request: Any) -> HttpResponse:
        """Answer all figures in Prometheus' text format."""
        return HttpResponse(figures.text(), content_type=CONTENT_TYPE_LATEST)
