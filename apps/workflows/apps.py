"""The workflows app."""

from django.apps import AppConfig
from django.core.checks import register as register_check


class WorkflowsConfig(AppConfig):
    """Register the kind, the check, and how the API of other apps refuses a step's input."""

    name = "apps.workflows"
    label = "workflows"

    def ready(self) -> None:
        """Register this app's kind of operation."""
        from rest_framework.exceptions import ValidationError

        from apps.operations.registry import (
            PeriodicTask,
            register_kinds,
            register_periodic_task,
            register_retention_filter,
        )
        from apps.system.api.errors import framework_refusal
        from apps.workflows.checks import check_definitions
        from apps.workflows.definition_references import register_refusal
        from apps.workflows.models import without_standing

        register_kinds("apps.workflows.kinds")
        repair = "apps.workflows.handlers.schedules.repair_schedules"
        register_periodic_task(PeriodicTask(name="repair_schedules", function=repair, minutes=5))
        register_retention_filter(without_standing)
        register_check(check_definitions, deploy=True)  # reading them takes a tenth of a second
        register_refusal(ValidationError, framework_refusal)
