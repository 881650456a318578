"""The shapes of workspaces."""

from django.core.validators import validate_slug
from rest_framework import serializers

from apps.system.api.fields import Flag, Input, Text
from apps.workspaces.models import Workspace


class WorkspaceCreate(Input):
    """A workspace to be made."""

    name = Text(max_length=63, validators=[validate_slug])
    path = Text()
    activate = Flag(default=False)


class WorkspaceOut(serializers.ModelSerializer):
    """A workspace."""

    last_used = serializers.DateTimeField(source="last_used_at", allow_null=True)

    class Meta:
        model = Workspace
        fields = ["name", "path", "active", "last_used"]
