"""The shapes of operations."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from apps.operations.models import Event, Operation


class OperationOut(serializers.ModelSerializer):
    """An operation, the answer to every change."""

    result = serializers.DictField(allow_null=True, help_text="What came of it; null until it is completed.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed, or what could not be undone.")

    class Meta:
        model = Operation
        fields = ["id", "status", "created_at", "updated_at", "result", "error"]


class EventOut(serializers.ModelSerializer):
    """One line of an operation's log."""

    data = serializers.DictField()

    class Meta:
        model = Event
        fields = ["seq", "at", "level", "message", "data"]


class Tasks(serializers.Serializer):
    """Operations, counted."""

    total = serializers.IntegerField()
    running = serializers.IntegerField()


class MetricsOut(serializers.Serializer):
    """The service's figures."""

    uptime_seconds = serializers.IntegerField()
    tasks = Tasks()


def answer(operation: Operation) -> Response:
    """Answer a change with its operation."""
    return Response(dict[str, Any](OperationOut(operation).data))
