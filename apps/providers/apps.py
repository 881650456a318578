"""The providers app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from apps.providers.registry import DriverInfo


class ProvidersConfig(AppConfig):
    """Register the kinds and name the providers."""

    name = "apps.providers"
    label = "providers"

    def ready(self) -> None:
        """Register this app's kinds of operation, and name the providers that have a driver."""
        from apps.operations.registry import PeriodicTask, register_kinds, register_limited, register_periodic_task
        from apps.providers.models import CloudAccount
        from apps.providers.registry import register_drivers, register_image_builder
        from apps.system.doctor import register_checks
        from apps.system.encryption import register_secret_field

        register_kinds("apps.providers.kinds")
        register_checks("apps.providers.doctor_checks")
        register_limited(lambda: [account.limit_key for account in CloudAccount.objects.all()])
        register_secret_field("providers.CloudAccount", "sealed_credentials")
        hourly = PeriodicTask(name="read catalogs", function="apps.providers.services.refresh_all", minutes=60)
        register_periodic_task(hourly)
        register_periodic_task(
            PeriodicTask(name="check accounts", function="apps.providers.handlers.check_accounts", minutes=1)
        )
        register_drivers(describe_drivers)
        register_image_builder("local", build_local_image)


def describe_drivers() -> dict[str, DriverInfo]:
    """Return title and credentials of the providers that have a driver."""
    from apps.providers.handlers import drivers
    from apps.providers.registry import DriverInfo

    return {name: DriverInfo(driver.title, driver.credentials) for name, driver in drivers.DRIVERS.items()}


def build_local_image(**options: Any) -> str:
    """Make the image of this machine's own machines. Raises Refused, Transient."""
    from apps.providers import handlers

    return handlers.build_local_image(**options)
