"""The workspaces app."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """Say where secrets are kept."""

    name = "apps.workspaces"
    label = "workspaces"

    def ready(self) -> None:
        """Register where this app keeps sealed secrets."""
        from apps.system.vault import register_place

        register_place("workspaces.Workspace", "sealed_ssh_key")
