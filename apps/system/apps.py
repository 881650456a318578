"""The system app: the API kernel, health, metrics, system checks."""

from django.apps import AppConfig
from django.core.checks import register


class SystemConfig(AppConfig):
    """Register the checks and the checks."""

    name = "apps.system"
    label = "system"

    def ready(self) -> None:
        """Register the system checks, and the checks of what every installation has."""
        from apps.system import checks
        from apps.system.doctor import register_checks

        register(checks.check_deployment)
        register(checks.check_database)
        register_checks("apps.system.doctor_checks")
