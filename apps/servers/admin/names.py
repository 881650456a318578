"""What the console calls servers and orphans in the list of operations, and how their operations are done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Case, CharField, F, QuerySet, When
from django.db.models.functions import Lower

from apps.operations.admin import (
    NamedRows,
    Rerun,
    register_former_names,
    register_rerun,
    register_target_names,
    register_target_search,
)
from apps.operations.models import Operation
from apps.servers.admin.search import search
from apps.servers.models import DeletedServer, Orphan, Server
from apps.servers.services import create, create_server, delete, delete_server, drift_repair, power


def deleted_server_keys(term: str) -> QuerySet[Any, str]:
    """Return the ids of the deleted servers whose hostname began so, the last one first."""
    found = DeletedServer.objects.alias(lower_case=Lower("hostname")).filter(lower_case__prefix=term.lower())
    return found.order_by("-deleted_at").values_list("pk", flat=True)


def on_server(service: Callable[..., Operation]) -> Callable[[Operation, Any], Operation]:
    """Return how an operation on a server is submitted again."""
    return lambda operation, actor: service(server_id=operation.params["server"], actor=actor)


def check_again(operation: Operation, actor: Any) -> Operation:
    """Check a creation again, with the same values."""
    requested = {name: value for name, value in operation.params["wanted"].items() if name != "size"}
    place = operation.workspace.name if operation.workspace else ""
    return create_server(workspace=place, actor=actor, check_mode=True, **requested)


def create_again(operation: Operation, actor: Any) -> Operation:
    """Check a creation again, or make the machine of a server whose creation has failed."""
    if operation.check_mode:
        return check_again(operation, actor)
    return drift_repair.recreate_server(server_id=operation.params["server"], actor=actor)


def can_create_again(operation: Operation) -> bool:
    """Tell whether a creation was a check, or has failed."""
    return operation.check_mode or operation.status == Operation.Status.FAILED


register_target_names("server", NamedRows(model=Server, name=F("hostname")), ids="srv-")
NAME_OR_REF = Case(When(hostname="", then="ref"), default="hostname", output_field=CharField())
register_target_names("orphan", NamedRows(model=Orphan, name=NAME_OR_REF), ids="orp-")
register_former_names("server", NamedRows(model=DeletedServer, name=F("hostname")))
register_target_search("server", lambda term: search(term).values_list("pk", flat=True))
register_target_search("server", deleted_server_keys)
ANEW = "Proves first that there is no machine, then makes one, which is paid for."
register_rerun(
    create.CREATE, Rerun(permission="server_create", submit=create_again, suits=can_create_again, warning=ANEW)
)
for kind, service in (
    (power.START, power.start_server),
    (power.STOP, power.stop_server),
    (power.REBOOT, power.reboot_server),
    (drift_repair.ADOPT, drift_repair.adopt_server),
    (drift_repair.RECREATE, drift_repair.recreate_server),
):
    register_rerun(kind, Rerun(permission="server_create", submit=on_server(service)))
register_rerun(
    delete.DELETE,
    Rerun(
        permission="server_delete",
        submit=on_server(delete_server),
        suits=lambda operation: operation.status != Operation.Status.COMPLETED,
        warning="The server is deleted at the provider, disks included. This cannot be taken back.",
    ),
)
