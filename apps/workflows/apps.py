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

        from apps.operations.registry import keepers, register
        from apps.system.api.errors import framework_refusal
        from apps.workflows.checks import check_definitions
        from apps.workflows.kinds import KINDS
        from apps.workflows.models import without_standing
        from apps.workflows.services.stepping import refusals

        register(KINDS)
        keepers.append(without_standing)
        register_check(check_definitions)
        refusals[ValidationError] = framework_refusal
