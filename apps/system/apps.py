"""The system app: the API kernel, health, metrics, system checks."""

from django.apps import AppConfig
from django.core.checks import register


class SystemConfig(AppConfig):
    """Register the checks."""

    name = "apps.system"
    label = "system"

    def ready(self) -> None:
        """Register the system checks."""
        from apps.system import checks

        register(checks.check_deployment)
        register(checks.check_database)
