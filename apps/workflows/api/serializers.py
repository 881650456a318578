"""The shapes of workflows."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.operations.models import Operation
from apps.system.api.fields import Input, Object, Text
from apps.workflows.models import Step


class WorkflowSubmit(Input):
    """A workflow to be run."""

    workspace = Text()
    workflow_type = Text(max_length=64, help_text="One of `GET /v1/workflows/types`.")
    parameters = Object(default=dict, help_text="What the type's own `parameters` schema allows.")


class WorkflowOut(serializers.ModelSerializer):
    """A workflow."""

    workflow_type = serializers.CharField(source="workflow.type")

    class Meta:
        model = Operation
        fields = ["id", "workflow_type", "status", "created_at", "updated_at"]


class TypeOut(serializers.Serializer):
    """A type of workflow."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    parameters = serializers.DictField(help_text="The JSON Schema (Draft 2020-12) of `parameters`.")


class StepOut(serializers.ModelSerializer):
    """One step of a workflow."""

    operation_id = serializers.UUIDField(allow_null=True, help_text="The operation that does it.")
    rollback_operation_id = serializers.UUIDField(allow_null=True, help_text="The operation that takes it back.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed or was skipped.")
    result = serializers.DictField(allow_null=True, help_text="What came of it; null until it is completed.")

    class Meta:
        model = Step
        fields = [
            "name",
            "uses",
            "status",
            "operation_id",
            "rollback_operation_id",
            "started_at",
            "ended_at",
            "error",
            "result",
        ]


def submission(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a workflow inside a workflow. Raises ValidationError."""
    serializer = WorkflowSubmit(data={"workspace": "-", **given})
    serializer.is_valid(raise_exception=True)
    return {key: value for key, value in serializer.validated_data.items() if key != "workspace"}
