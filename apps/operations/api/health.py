"""Whether work is being done, for people and monitoring."""

from __future__ import annotations

from typing import Any

from django.db import Error, connection
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.operations.models import DrainMode
from apps.operations.worker import nodes
from apps.system.api.health import PartOut
from apps.system.api.views import APIViewSet
from apps.system.readiness import UNKNOWN, Part, part

PATIENCE_SECONDS = 30.0


class WorkersOut(serializers.Serializer):
    """Whether work is being done, part by part."""

    status = serializers.ChoiceField(["working", "not working"])
    workers = PartOut(help_text="Whether a worker is alive.")
    queue = PartOut(help_text="Whether workers take the operations that are due.")


class WorkersViewSet(APIViewSet):
    """The health of the workers of all nodes, for people and monitoring, not for load balancers; it needs no token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: WorkersOut, 503: WorkersOut}, operation_id="workers")
    def retrieve(self, request: Any) -> Response:
        """Return 200 when workers are alive and take the operations that are due, else 503; a drain is no fault."""
        parts = examine()
        works = all(part["ok"] for part in parts.values())
        return Response({"status": "working" if works else "not working", **parts}, status=200 if works else 503)


def examine() -> dict[str, Part]:
    """Look at workers and queue."""
    try:
        live, drained, age = nodes.live().count(), DrainMode.objects.exists(), nodes.oldest_due_seconds()
    except Error:
        connection.close()
        unknown = part(False, UNKNOWN)
        return {"workers": unknown, "queue": unknown}
    return {
        "workers": part(live > 0, f"{live} live." if live else "None is running; start `manage.py worker`."),
        "queue": part(drained or age < PATIENCE_SECONDS, queue_message(drained, age)),
    }


def queue_message(drained: bool, age: float) -> str:
    """Describe the queue."""
    return "Drained: no work is begun." if drained else f"The oldest claimable operation has waited {age:.1f} s."
