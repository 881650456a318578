"""The system app: the API kernel, health, metrics, system checks."""

from django.apps import AppConfig
from django.core.checks import register


class SystemConfig(AppConfig):
    """Register the checks and the probes."""

    name = "apps.system"
    label = "system"

    def ready(self) -> None:
        """Register the system checks, and the probes of what every installation has."""
        from apps.system import checks
        from apps.system.doctor import register_probes
        from apps.system.probes import PROBES

        register(checks.check_deployment)
        register(checks.check_database)
        register_probes(*PROBES)
