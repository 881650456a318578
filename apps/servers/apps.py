"""The servers app."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Register the kinds."""

    name = "apps.servers"
    label = "servers"

    def ready(self) -> None:
        """Register this app's kinds of operation."""
        from apps.operations.registry import Timer, register, register_timer
        from apps.servers.kinds import KINDS
        from apps.servers.probes import PROBES
        from apps.system.doctor import register_probes
        from apps.system.vault import register_place

        register(KINDS)
        register_timer(Timer(name="expire servers", function="apps.servers.services.expiry.expire_servers", minutes=1))
        register_probes(*PROBES)
        register_place("servers.Server", "sealed_user_data")
        function = "apps.servers.services.drift.compare_all"
        register_timer(Timer(name="compare servers", function=function, minutes=10))
