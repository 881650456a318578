"""The taskservs app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from apps.operations.handler_api import Context, Wait
    from apps.servers.models import Server


class TaskservsConfig(AppConfig):
    """Register the kinds, and what servers have to know of taskservs."""

    name = "apps.taskservs"
    label = "taskservs"

    def ready(self) -> None:
        """Register this app's kinds of operation, and its answers to the servers app."""
        from django.core.checks import register

        from apps.operations.registry import (
            NodeProcess,
            PeriodicTask,
            register_gauges,
            register_kinds,
            register_node_process,
            register_periodic_task,
        )
        from apps.servers import registry as servers
        from apps.system.doctor import register_checks
        from apps.system.encryption import register_secret_field
        from apps.taskservs.ansible.metrics import gauges
        from apps.taskservs.ansible.queue import has_work
        from apps.taskservs.checks import check_catalog
        from apps.taskservs.services import health, occupancy

        register(check_catalog)
        register_kinds("apps.taskservs.kinds")
        register_node_process(NodeProcess(name="ansible runner", run=run_ansible, is_needed=has_work))
        register_gauges(gauges)
        register_gauges(health.gauges)
        register_secret_field("taskservs.AnsibleRun", "sealed_request")
        register_checks("apps.taskservs.doctor_checks")
        register_secret_field("taskservs.Taskserv", "sealed_secrets")
        register_secret_field("taskservs.Taskserv", "sealed_previous")
        function = "apps.taskservs.services.health.verify_due"
        register_periodic_task(PeriodicTask(name="verify taskservs", function=function, minutes=1))
        servers.register_occupants(occupancy.occupants)
        servers.register_evictor(occupancy.remove_installations)
        servers.register_departure(leave_clusters)
        servers.register_busy_operations(occupancy.at_work_on)
        servers.register_grouping("taskserv", occupancy.running_installations)


def run_ansible(node: str, folder: Path) -> None:
    """Be the node's runner of Ansible, which no other process imports."""
    from apps.taskservs.ansible.runner import run

    run(node, folder)


def leave_clusters(context: Context, server: Server) -> Wait | None:
    """Take one step towards every cluster having let a server go."""
    from apps.taskservs.handlers import leave

    return leave.leave_clusters(context, server)
