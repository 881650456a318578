"""The workspaces app."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """Name the app."""

    name = "apps.workspaces"
    label = "workspaces"
