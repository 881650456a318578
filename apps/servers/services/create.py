"""Server creation: its checks, its row and what its outcome means for the row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.providers.services import offering, size_of
from apps.servers.errors import HostnameTaken
from apps.servers.models import Server
from apps.servers.services.create_options import refuse_unknown_image, row_options
from apps.servers.services.delete import forget
from apps.servers.services.limits import refuse_beyond_limits, release_order_slot
from apps.servers.services.submit import submit_for_server
from apps.system.database import integrity_error_as
from apps.workspaces.services import workspace_named

CREATE = "server.create"
Status = Server.Status


@transaction.atomic
def create_server(
    *,
    workspace: str,
    actor: User | None,
    provider: str,
    plan: str,
    hostname: str,
    zone: str,
    tags: Iterable[str] = (),
    check_mode: bool = False,
    parent: Operation | None = None,
    **options: Any,
) -> Operation:
    """Reserve a hostname and queue the machine's creation; in check mode only queue the check of it.

    Where the account's plans were never read, that begins here, and the operation does these checks after it.

    `options` are those of `row_options`. Raises UnknownWorkspace, UnknownProvider, UnknownPlan, UnknownZone,
    UnknownImage, ExpiryPassed, HostnameTaken, LimitReached.
    """
    place = workspace_named(workspace)
    offer = offering(place, provider=provider, plan=plan, zone=zone)
    account = offer.account
    facts: dict[str, Any] = {"provider": provider, "plan": plan, "size": offer.size, "zone": zone}
    facts |= {"hostname": hostname, "tags": list(tags)}
    server = Server(workspace=place, account=account, **facts, **row_options(account, **options))
    refuse_beyond_limits(server)
    if check_mode:
        return submit_check(server, actor, parent)
    with integrity_error_as(HostnameTaken(hostname=hostname, workspace=workspace), "one_server_of_a_hostname"):
        server.save(force_insert=True)
    unread = {} if server.size else {"unread": True}
    return submit_for_server(server, CREATE, actor=actor, parent=parent, is_new=True, **unread)


@transaction.atomic
def choose_size(server: Server) -> str:
    """Check and complete what was ordered before the account's plans were read; returns the provider's own plan.

    Raises UnknownPlan, UnknownZone, UnknownImage, LimitReached.
    """
    server.size = size_of(server.account, plan=server.plan, zone=server.zone)
    refuse_unknown_image(server.account, server.image)
    refuse_beyond_limits(server)
    Server.objects.filter(pk=server.pk).update(size=server.size)
    return server.size


def submit_check(server: Server, actor: User | None, parent: Operation | None) -> Operation:
    """Queue the check of a creation; nothing is booked for it. Raises HostnameTaken."""
    if Server.objects.filter(workspace=server.workspace, hostname__iexact=server.hostname).exists():
        raise HostnameTaken(hostname=server.hostname, workspace=server.workspace.name)
    requested = {name: getattr(server, name) for name in ("hostname", "provider", "plan", "size", "zone", "tags")}
    requested |= {"image": server.image} if server.image else {}
    return operations.submit(
        kind=CREATE,
        workspace=server.workspace,
        actor=actor,
        params={"account": server.account_id, "wanted": requested},
        check_mode=True,
        parent=parent,
    )


def apply_creation_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the row to what a creation came to."""
    row = Server.objects.filter(pk=operation.params.get("server"))
    if operation.check_mode:
        return
    release_order_slot(operation.params["server"])
    match outcome:
        case Outcome.COMPLETED:
            row.update(status=Status.RUNNING, ip_address=operation.completed_result["ip_address"])
        case Outcome.FAILED | Outcome.CANCELLED_LEFTOVER:
            row.update(status=Status.FAILED)
        case Outcome.UNDOING:
            row.update(status=Status.DELETING)
        case Outcome.CANCELLED_CLEAN:
            forget(row)
