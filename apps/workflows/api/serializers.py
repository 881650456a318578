"""The shapes of workflows."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from apps.operations.models import Operation
from apps.system.api.fields import Input, List, MultilineString, Sentence, StrictBoolean, StrictObject, StrictString
from apps.workflows.definition import MAX_BYTES
from apps.workflows.definition_schema import NAME
from apps.workflows.models import Step, WorkflowDefinition


def check_type(name: str) -> None:
    """Hold the name of a type to letters, digits and underscores. Raises ValidationError."""
    if not re.fullmatch(NAME, name):
        raise serializers.ValidationError("Give 1 to 40 lower-case letters, digits and underscores, a letter first.")


class WorkflowSubmit(Input):
    """A workflow to be run."""

    workspace = StrictString()
    workflow_type = StrictString(max_length=64)
    parameters = StrictObject(default=dict)
    check_mode = StrictBoolean(default=False, help_text="Only preview what it would do and cost; nothing is created.")
    digest = StrictString(
        required=False, max_length=64, help_text="Run exactly what the preview with this digest showed, or nothing."
    )


class WorkflowCreate(WorkflowSubmit):
    """A workflow to be run, with all that can be chosen."""

    override_freeze = Sentence(required=False, help_text="Begin in spite of a freeze window, for this reason.")


class Decision(Input):
    """The body of an approval or a rejection; it may be left out."""

    comment = Sentence(required=False, max_length=1000, help_text="Why; it is logged.")
    step = StrictString(required=False, help_text="The step that waits, where several do.")


class Reason(Input):
    """The reason for an intervention; it is logged."""

    reason = Sentence(help_text="Why; it is logged.")


class Resume(Input):
    """The body of resuming a workflow; it may be left out."""

    parameters = StrictObject(required=False, help_text="Parameters to be changed, for the steps still to be done.")
    skip = List(
        child=StrictString(), required=False, max_length=2000, help_text="The names of the steps to be left out."
    )
    reason = Sentence(required=False, help_text="Why; it is logged.")


class WorkflowOut(serializers.ModelSerializer):
    """A workflow."""

    workflow_type = serializers.CharField(source="workflow.type")

    class Meta:
        model = Operation
        fields = ["id", "workflow_type", "status", "created_at", "updated_at"]


class WorkflowDetail(serializers.Serializer):
    """A workflow with all that is known of it."""

    id = serializers.UUIDField()
    workflow_type = serializers.CharField()
    status = serializers.CharField()
    workspace = serializers.CharField()
    submitted_by = serializers.CharField(
        allow_null=True, help_text="The name of the user who submitted it; null where the user is gone."
    )
    origin = serializers.CharField(help_text="Where its definition comes from.")
    parameters = serializers.DictField(help_text="The parameters it runs with, secrets hidden.")
    changed_parameters = serializers.DictField(
        allow_null=True, help_text="The parameters that were changed when it was resumed."
    )
    resumes = serializers.UUIDField(allow_null=True, help_text="The workflow that it goes on with.")
    resumed_by = serializers.UUIDField(allow_null=True, help_text="The workflow that goes on with it.")
    rolled_back_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was rolled back by request; null if it was not."
    )
    schedule = serializers.CharField(
        allow_null=True, help_text="The id of the schedule that submitted it; null where none did."
    )
    result = serializers.DictField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    waiting = serializers.CharField(allow_null=True, help_text="What it waits for; null when it does not.")


class TypeOut(serializers.Serializer):
    """A type of workflow."""

    name = serializers.CharField(help_text="What a request gives as `workflow_type`.")
    title = serializers.CharField()
    description = serializers.CharField(help_text="What it does.")
    origin = serializers.CharField(help_text="`package`, `upload:<version>`, or `workspace:` and the file.")
    parameters = serializers.DictField(help_text="The JSON Schema (Draft 2020-12) of `parameters`.")
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="What submitting it needs, besides `workflow_submit`."
    )


class StepOut(serializers.ModelSerializer):
    """One step of a workflow."""

    operation_id = serializers.UUIDField(allow_null=True, help_text="The operation that does it.")
    rollback_operation_id = serializers.UUIDField(allow_null=True, help_text="The operation that takes it back.")
    rollback = serializers.CharField(help_text="`running`, `completed` or `failed` once it is taken back; or empty.")
    rollback_error = serializers.CharField(help_text="Why it could not be taken back; or empty.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed or was skipped.")
    result = serializers.DictField(allow_null=True, help_text="What came of it; null until it is completed.")
    input = serializers.DictField(allow_null=True, help_text="What it was given, secrets hidden; null until it begins.")
    waiting = serializers.CharField(allow_null=True, help_text="What it waits for; null when it does not.")

    class Meta:
        model = Step
        fields = [
            *("name", "uses", "status", "operation_id", "rollback_operation_id", "started_at", "ended_at"),
            *("error", "result", "input", "attempt", "waiting", "rollback", "rollback_error"),
        ]


class DefinitionUpload(Input):
    """A definition to be stored."""

    name = StrictString(
        max_length=64,
        validators=[check_type],
        rule={"pattern": NAME},
        help_text="The name of the workflow type; uploading a name again stores the next version.",
    )
    text = MultilineString(max_length=MAX_BYTES, help_text="The definition, as YAML.")


class DefinitionOut(serializers.ModelSerializer):
    """An uploaded definition, the last version of it."""

    name = serializers.SlugField(help_text="The name of the workflow type.")
    version = serializers.IntegerField(help_text="Counts the uploads of this name, from 1.")

    class Meta:
        model = WorkflowDefinition
        fields = ["name", "version", "retired", "created_at"]


class DefinitionText(DefinitionOut):
    """An uploaded definition with its text."""

    class Meta(DefinitionOut.Meta):
        fields = [*DefinitionOut.Meta.fields, "text"]


def submission(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a workflow inside a workflow. Raises ValidationError."""
    serializer = WorkflowSubmit(data={"workspace": "-", **given})
    serializer.is_valid(raise_exception=True)
    return {key: value for key, value in serializer.validated_data.items() if key != "workspace"}
