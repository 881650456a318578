"""The providers app."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Register the kinds."""

    name = "apps.providers"
    label = "providers"

    def ready(self) -> None:
        """Register this app's kinds of operation."""
        from apps.operations.registry import register
        from apps.providers.kinds import KINDS

        register(KINDS)
