"""Workspaces in the admin: created and activated through their services, never deleted."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.system.admin import Button, ReadOnlyAdmin, ServiceForm
from apps.workspaces import services
from apps.workspaces.models import Workspace


class WorkspaceForm(ServiceForm):
    """A workspace to be made."""

    activate = forms.BooleanField(required=False, help_text="Make it the active workspace; there is at most one.")

    class Meta:
        model = Workspace
        fields = ["name", "path"]
        help_texts = {"path": "Absolute and normalised, such as /opt/workspaces/production."}

    def act(self) -> Workspace:
        """Create the workspace."""
        return services.create_workspace(**self.cleaned_data)


@admin.register(Workspace)
class WorkspaceAdmin(ReadOnlyAdmin):
    """Workspaces."""

    read_permission = "workspace_read"
    add_permission = "workspace_create"
    form = WorkspaceForm
    list_display = ("name", "path", "active", "last_used_at", "created_at")
    search_fields = ("name", "path")
    actions = ["activate"]

    def get_fields(self, request: HttpRequest, obj: Workspace | None = None) -> list[str]:
        """Ask for less than is shown afterwards."""
        if obj is None:
            return ["name", "path", "activate"]
        return ["name", "path", "active", "last_used_at", "created_at", "ssh_public_key"]

    def has_workspace_create_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to create workspaces."""
        return self.allows(request, "workspace_create")

    @admin.action(description="Make the selected workspace active", permissions=["workspace_create"])
    def activate(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Move the active mark."""
        if queryset.count() != 1:
            self.message_user(request, "Choose exactly one workspace.", "error")
            return

        def move(workspace: Workspace) -> str:
            services.activate_workspace(workspace=workspace)
            return f"{workspace} is the active workspace now."

        self.act_on_each(request, queryset, move, note="Made active.")

    def buttons(self, request: HttpRequest, row: Workspace) -> list[Button]:
        """Offer to make it active."""
        return [] if row.active else [Button("activate", "Make active")]
