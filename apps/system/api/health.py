"""Health checks: `/health` (liveness, and the database) and `/health/ready` (readiness, for load balancers)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error, connection
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apps.system.api.views import APIViewSet, StrictView
from apps.system.readiness import examine
from apps.system.uptime import uptime_seconds


class HealthOut(serializers.Serializer):
    """Whether the service works."""

    status = serializers.ChoiceField(["healthy", "unhealthy"])
    version = serializers.CharField(help_text="The version of the service.")
    uptime_seconds = serializers.IntegerField()


class HealthView(StrictView, ViewSet):
    """The health check; it needs no token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: HealthOut, 503: HealthOut})
    def retrieve(self, request: Any) -> Response:
        """Return 200 when the database answers, else 503."""
        healthy = database_answers()
        shape = {
            "status": "healthy" if healthy else "unhealthy",
            "version": settings.VERSION,
            "uptime_seconds": uptime_seconds(),
        }
        return Response(shape, status=200 if healthy else 503)


def database_answers() -> bool:
    """Ask the database the smallest question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return False
    return True


class PartOut(serializers.Serializer):
    """One part of the service, and what is the matter with it."""

    ok = serializers.BooleanField(help_text="Whether it works.")
    message = serializers.CharField(help_text="What was found, in a sentence.")


class ReadyOut(serializers.Serializer):
    """Whether this process can serve, part by part."""

    status = serializers.ChoiceField(["ready", "not ready"])
    database = PartOut(help_text="Whether the database answers.")
    migrations = PartOut(help_text="Whether its tables are those of this version.")
    writing = PartOut(help_text="Whether changes can be stored.")


class ReadyViewSet(APIViewSet):
    """The deep health check of this process; it needs no token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: ReadyOut, 503: ReadyOut}, operation_id="ready")
    def retrieve(self, request: Any) -> Response:
        """Return 200 when this process can serve requests and store changes, else 503; workers do not matter here."""
        parts = examine()
        ready = all(part["ok"] for part in parts.values())
        return Response({"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503)
