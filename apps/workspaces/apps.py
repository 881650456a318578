"""The workspaces app."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """Say where secrets are kept."""

    name = "apps.workspaces"
    label = "workspaces"

    def ready(self) -> None:
        """Register where this app keeps sealed secrets."""
        from apps.system.encryption import register_secret_field

        register_secret_field("workspaces.Workspace", "sealed_ssh_key")
