"""The operations app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Register the daily upkeep and the probes."""

    name = "apps.operations"
    label = "operations"

    def ready(self) -> None:
        """Register what runs by the clock, and the probes of workers and queue."""
        from apps.operations.probes import PROBES
        from apps.operations.registry import Timer, register_timer
        from apps.system.doctor import register_probes

        register_probes(*PROBES)
        register_timer(Timer(name="daily upkeep", function="apps.operations.upkeep.daily", minutes=24 * 60))
