"""The operations app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Name the app."""

    name = "apps.operations"
    label = "operations"
