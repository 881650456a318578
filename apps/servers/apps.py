"""The servers app."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Register the kinds."""

    name = "apps.servers"
    label = "servers"

    def ready(self) -> None:
        """Register this app's kinds of operation."""
        from apps.operations.registry import PeriodicTask, register_kinds, register_periodic_task
        from apps.system.doctor import register_checks
        from apps.system.encryption import register_secret_field

        register_kinds("apps.servers.kinds")
        register_periodic_task(
            PeriodicTask(name="expire servers", function="apps.servers.services.expiry.expire_servers", minutes=1)
        )
        register_checks("apps.servers.doctor_checks")
        register_secret_field("servers.Server", "sealed_user_data")
        register_secret_field("servers.Server", "sealed_host_key")
        function = "apps.servers.services.drift.compare_all"
        register_periodic_task(PeriodicTask(name="compare servers", function=function, minutes=10))
