"""Workspaces in the admin: created and activated through their services, never deleted."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldBooleanSwitchWidget

from apps.system.admin import Button, ReadOnlyAdmin, ServiceForm, ago, badge, copyable
from apps.workspaces import services
from apps.workspaces.models import Workspace


class WorkspaceForm(ServiceForm):
    """A workspace to be made."""

    activate = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Make it the active workspace; there is at most one.",
    )

    class Meta:
        model = Workspace
        fields = ["name", "path"]
        help_texts = {"path": "Absolute and normalized, such as /opt/workspaces/production."}

    def act(self) -> Workspace:
        """Create the workspace."""
        return services.create_workspace(**self.cleaned_data)


@admin.register(Workspace)
class WorkspaceAdmin(ReadOnlyAdmin):
    """Workspaces."""

    read_permission = "workspace_read"
    add_permission = "workspace_create"
    form = WorkspaceForm
    add_label = "Add a workspace"
    empty_text = "Servers, services and workflows belong to a workspace."
    first_step = "Add the first one."
    list_display = ("name", "path", "state_badge", "last_used", "created")
    search_fields = ("name", "path")
    search_help_text = "Part of a name or path"
    actions = ["activate"]

    def get_fields(self, request: HttpRequest, obj: Workspace | None = None) -> tuple[str, ...]:
        """Ask for less than is shown afterwards."""
        if obj is None:
            return ("name", "path", "activate")
        return ("name", "path", "state_badge", "last_used", "created", "public_key")

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

    @admin.display(description="state", ordering="active")
    def state_badge(self, row: Workspace) -> SafeString | str:
        """Show whether it is the active one."""
        return badge("active") if row.active else "-"

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, row: Workspace) -> SafeString | str:
        """Show when something was last submitted in it."""
        return ago(row.last_used_at, empty="never")

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Workspace) -> SafeString | str:
        """Show when it was created."""
        return ago(row.created_at)

    @admin.display(description="SSH public key")
    def public_key(self, row: Workspace) -> SafeString | str:
        """Show the key that servers of the workspace trust."""
        return copyable(row.ssh_public_key) if row.ssh_public_key else "-"

    def buttons(self, request: HttpRequest, row: Workspace) -> list[Button]:
        """Offer to make it active."""
        return [] if row.active else [Button("activate", "Make active")]
