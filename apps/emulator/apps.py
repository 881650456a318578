"""The emulator app: a small UpCloud with a store of its own, for development and tests."""

from django.apps import AppConfig


class EmulatorConfig(AppConfig):
    """It has no models: its state is a file of its own."""

    name = "apps.emulator"
    label = "emulator"

    def ready(self) -> None:
        """Let processes that are forked share what answers its requests."""
        from django.conf import settings

        from apps.system.forked_process import register_shared

        if settings.EMULATOR:
            register_shared(import_views)


def import_views() -> None:
    """Import what answers requests."""
    from apps.emulator import control, views  # noqa: F401
