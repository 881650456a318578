"""Answers for the app servers: taskservs on a server, operations on it, and removing the rows of a deleted one."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.servers.models import Server
from apps.taskservs import machines
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services import installations


def occupants(server: Server) -> list[str]:
    """Name what is installed on a server."""
    return [f"{taskserv.name} ({taskserv.id})" for taskserv in server.taskservs.all()]


def at_work_on(server: Server) -> list[str]:
    """Return the ids of the operations that install or remove something on a server."""
    return machines.unfinished_on([server])


def running_installations(servers: QuerySet[Server]) -> QuerySet:
    """Return the running installations on servers, as pairs of a server's id and a taskserv's name."""
    working = Installation.objects.filter(server__in=servers.order_by(), taskserv__status=Taskserv.Status.RUNNING)
    return working.values_list("server_id", "taskserv__name")


def remove_installations(server: Server) -> None:
    """Forget what was installed on a server that is gone."""
    held = list(server.taskservs.values_list("pk", flat=True))
    server.installations.all().delete()
    Taskserv.objects.filter(pk__in=held, installations=None).delete()
    for taskserv in Taskserv.objects.filter(pk__in=held).select_related("workspace"):
        if definition := load_catalog(taskserv.workspace.path).get(taskserv.name):
            installations.note_primary(taskserv.pk, definition.roles)
