"""The shapes of operations."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from apps.operations.models import Event, Operation
from apps.system.models import OrderedJSON


class OperationOut(serializers.ModelSerializer):
    """An operation, the answer to every change."""

    result = serializers.DictField(allow_null=True, help_text="What came of it; null until it is completed.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed, or what could not be undone.")

    class Meta:
        model = Operation
        fields = ["id", "status", "created_at", "updated_at", "result", "error"]


class EventOut(serializers.ModelSerializer):
    """One line of an operation's log."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        OrderedJSON: serializers.DictField,
    }

    class Meta:
        model = Event
        fields = ["seq", "at", "level", "message", "data"]
        extra_kwargs = {"data": {"required": True}}


class Tasks(serializers.Serializer):
    """Numbers of operations."""

    total = serializers.IntegerField(help_text="All operations that are stored.")
    running = serializers.IntegerField(help_text="The operations that are running now.")


class MetricsOut(serializers.Serializer):
    """A few metrics of the service."""

    uptime_seconds = serializers.IntegerField()
    tasks = Tasks(help_text="Numbers of operations.")


def answer(operation: Operation) -> Response:
    """Answer a change with its operation."""
    return Response(dict[str, Any](OperationOut(operation).data))
