"""The system app."""

from django.apps import AppConfig


class SystemConfig(AppConfig):
    """Name the app."""

    name = "apps.system"
    label = "system"
