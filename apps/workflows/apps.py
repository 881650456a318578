"""The workflows app."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """Name the app."""

    name = "apps.workflows"
    label = "workflows"
