"""The taskservs app."""

from django.apps import AppConfig


class TaskservsConfig(AppConfig):
    """Register the kinds, and what servers have to know of taskservs."""

    name = "apps.taskservs"
    label = "taskservs"

    def ready(self) -> None:
        """Register this app's kinds of operation, and its answers to the servers app."""
        from apps.operations.registry import register
        from apps.servers import services as servers
        from apps.servers.services import fleet, power
        from apps.system.doctor import register_probes
        from apps.taskservs import services
        from apps.taskservs.kinds import KINDS
        from apps.taskservs.probes import PROBES

        register(KINDS)
        register_probes(*PROBES)
        servers.occupants.append(services.occupants)
        servers.evictors.append(services.evict)
        power.busy_with.append(services.at_work_on)
        fleet.groupings["taskserv"] = services.installed_on
