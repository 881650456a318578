"""The operations app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Register the daily upkeep and the checks."""

    name = "apps.operations"
    label = "operations"

    def ready(self) -> None:
        """Register what runs by the clock, and the checks of workers and queue."""
        from apps.operations.registry import PeriodicTask, load_kinds, register_limited, register_periodic_task
        from apps.system.doctor import register_checks
        from apps.system.forked_process import register_shared
        from apps.workspaces.models import Workspace

        register_checks("apps.operations.doctor_checks")
        register_shared(load_kinds)
        register_limited(lambda: [f"workspace:{name}" for name in Workspace.objects.values_list("name", flat=True)])
        register_periodic_task(
            PeriodicTask(name="daily upkeep", function="apps.operations.retention.daily", minutes=24 * 60)
        )
