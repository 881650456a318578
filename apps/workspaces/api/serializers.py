"""The shapes of workspaces."""

from django.core.validators import validate_slug
from rest_framework import serializers

from apps.system.api.fields import Input, StrictBoolean, StrictString
from apps.workspaces.models import Workspace
from apps.workspaces.services import PATH


class WorkspaceCreate(Input):
    """A workspace to be created."""

    name = StrictString(
        max_length=63,
        validators=[validate_slug],
        rule={"pattern": "^[A-Za-z0-9_-]+$"},
        help_text="Letters, digits, hyphens and underscores.",
    )
    path = StrictString(
        rule={"pattern": f"^{PATH.pattern}$", "not": {"pattern": "/[.][.]?(/|$)"}},
        help_text="An absolute path that no other workspace has.",
    )
    activate = StrictBoolean(default=False, help_text="Make it the active workspace, in place of the one that is.")


class WorkspaceOut(serializers.ModelSerializer):
    """A workspace."""

    last_used = serializers.DateTimeField(
        source="last_used_at",
        allow_null=True,
        help_text="When a change was last requested in it; null before the first.",
    )

    class Meta:
        model = Workspace
        fields = ["name", "path", "active", "last_used"]
