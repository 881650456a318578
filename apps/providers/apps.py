"""The providers app."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Register the kinds and name the providers."""

    name = "apps.providers"
    label = "providers"

    def ready(self) -> None:
        """Register this app's kinds of operation, and name the providers that have a driver."""
        from apps.operations.registry import Timer, register, register_timer
        from apps.providers import handlers, services
        from apps.providers.kinds import KINDS
        from apps.providers.probes import PROBES
        from apps.system.doctor import register_probes
        from apps.system.vault import register_place

        register(KINDS)
        register_probes(*PROBES)
        register_place("providers.Account", "sealed_credentials")
        hourly = Timer(name="read catalogues", function="apps.providers.services.refresh_all", minutes=60)
        register_timer(hourly)
        drivers = handlers.drivers.DRIVERS.items()
        services.offered.update({name: services.Offer(driver.title, driver.credentials) for name, driver in drivers})
        services.image_builders["local"] = handlers.build_local_image
