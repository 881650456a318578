"""The operations app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Register the daily upkeep."""

    name = "apps.operations"
    label = "operations"

    def ready(self) -> None:
        """Register what runs by the clock."""
        from apps.operations.registry import Timer, register_timer

        register_timer(Timer(name="daily upkeep", function="apps.operations.upkeep.daily", minutes=24 * 60))
