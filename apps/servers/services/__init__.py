"""Creating and deleting servers: the rules, and the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations import transitions
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.providers.models import Account
from apps.providers.services import offering
from apps.servers.errors import HostnameTaken, OtherServer, OtherWorkspace, ServerOccupied, ServerProtected
from apps.servers.models import Server
from apps.servers.services.limits import free_slot, refuse_beyond_limits
from apps.servers.services.options import row_options
from apps.system.errors import NotFound
from apps.system.services import refused_as
from apps.workspaces.services import workspace_named

CREATE, DELETE = "server.create", "server.delete"
START, STOP, REBOOT = "server.start", "server.stop", "server.reboot"
LOOK_SECONDS = 1.0
SETTLED = ("running", "stopped", "gone")
Status = Server.Status

# Apps above fill these in: what is on a server (names for people), and what to do with it when the server is gone.
occupants: list[Callable[[Server], list[str]]] = []
evictors: list[Callable[[Server], None]] = []


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

    `options` are those of `row_options`. Raises UnknownWorkspace, UnknownProvider, UnknownPlan, UnknownZone,
    UnknownImage, ExpiryPassed, HostnameTaken, LimitReached.
    """
    place = workspace_named(workspace)
    offer = offering(place, provider=provider, plan=plan, zone=zone)
    account = offer.account
    facts = {"provider": provider, "plan": plan, "size": offer.size, "zone": zone}
    facts |= {"hostname": hostname, "tags": list(tags)}
    server = Server(workspace=place, account=account, **facts, **row_options(account, **options))
    refuse_beyond_limits(server)
    if check_mode:
        return submit_check(server, actor, parent)
    with refused_as(HostnameTaken(hostname=hostname, workspace=workspace)):
        server.save(force_insert=True)
    return operations.submit(
        kind=CREATE,
        workspace=place,
        actor=actor,
        target=server.target,
        target_is_new=True,
        params={"server": server.id},
        parent=parent,
        time_limit=account.time_limit,
        lane=account.lane,
    )


def submit_check(server: Server, actor: User | None, parent: Operation | None) -> Operation:
    """Queue the check of a creation; nothing is booked for it. Raises HostnameTaken."""
    if Server.objects.filter(workspace=server.workspace, hostname__iexact=server.hostname).exists():
        raise HostnameTaken(hostname=server.hostname, workspace=server.workspace.name)
    wanted = {name: getattr(server, name) for name in ("hostname", "provider", "plan", "size", "zone", "tags")}
    wanted |= {"image": server.image} if server.image else {}
    return operations.submit(
        kind=CREATE,
        workspace=server.workspace,
        actor=actor,
        params={"account": server.account_id, "wanted": wanted},
        check_mode=True,
        parent=parent,
    )


@transaction.atomic
def delete_server(
    *,
    server_id: str,
    actor: User | None,
    workspace: str | None = None,
    confirm_id: str | None = None,
    force: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue a server's deletion, disks included.

    `force` deletes it with its taskservs, and takes over from an operation that holds it, unless a worker is at work on
    that. It still forgets nothing: the row goes when the cloud has proven that no machine is left. It does not lift a
    protection. Raises NotFound, OtherServer, OtherWorkspace, ServerProtected, ServerOccupied, TargetBusy.
    """
    server = locked_server(server_id, workspace)
    if confirm_id is not None and confirm_id != server_id:
        raise OtherServer(given=confirm_id, server=server_id, field="server_id")
    if server.protected:
        raise ServerProtected(hostname=server.hostname, server=server.id)
    taken = free_target(server, force=force)
    refuse_if_occupied(server, force=force)
    params = {"server": server.id, "was": server.status}
    if taken and taken.state.get("asked_at"):
        params["asked_at"] = taken.state["asked_at"]  # an order is perhaps still on its way
    operation = operations.submit(
        kind=DELETE,
        workspace=server.workspace,
        actor=actor,
        target=server.target,
        params=params,
        parent=parent,
        time_limit=server.account.time_limit,
        lane=server.account.lane,
    )
    Server.objects.filter(pk=server.pk).update(status=Status.DELETING)
    return operation


def locked_server(server_id: str, workspace: str | None = None) -> Server:
    """Return a server under lock, in the workspace if one is given. Raises NotFound, OtherWorkspace."""
    rows = Server.objects.select_for_update(of=("self",)).select_related("workspace", "account")
    server = rows.filter(pk=server_id).first()
    if server is None:
        raise NotFound(what="server", id=server_id)
    if workspace is not None and workspace != server.workspace.name:
        raise OtherWorkspace(server=server_id, workspace=workspace)
    return server


def free_target(server: Server, *, force: bool) -> Operation | None:
    """Make sure that no operation holds the server; with force, take over from one at rest and return it.

    Raises TargetBusy.
    """
    holder = operations.holder_of(server.target)
    if holder is None:
        return None
    if not (force and transitions.take_over(holder, reason="Superseded by the forced deletion of its server.")):
        raise TargetBusy(target=server.target, holder=holder.pk)
    return holder


def refuse_if_occupied(server: Server, *, force: bool) -> None:
    """Refuse while anything is installed on the server. Raises ServerOccupied."""
    found = [] if force else [name for names in occupants for name in names(server)]
    if found:
        raise ServerOccupied(hostname=server.hostname, occupants=", ".join(found))


# ── what operations mean for the row ──────────────────────────────────────────────────────────────────────────────────
def note_machine(server: Server, **facts: Any) -> None:
    """Store what the cloud told of the machine, as soon as it is told: `ref`, `ip_address`, `disks`, `emulated`."""
    Server.objects.filter(pk=server.pk).update(**facts)


def claim_look(account: Account) -> bool:
    """Tell one of many who ask at once to list the account's machines: a second later the next one may."""
    now = timezone.now()
    stale = Q(looked_at=None) | Q(looked_at__lt=now - timedelta(seconds=LOOK_SECONDS))
    return bool(Account.objects.filter(stale, pk=account.pk).update(looked_at=now))


def note_states(*, account: Account, states: Mapping[str, str]) -> None:
    """Store the states that a complete list shows, and wake the operations whose machines are up, down or gone."""
    for server in awaited(account).only("id", "ref", "seen_state"):
        state = states.get(server.ref, "gone")
        if state != server.seen_state:
            Server.objects.filter(pk=server.pk).update(seen_state=state)
            if state in SETTLED:
                transitions.wake_target(server.target)


def awaited(account: Account) -> QuerySet[Server]:
    """Select the account's servers whose machines an operation waits for: being made, started, stopped or rebooted."""
    watching = Operation.objects.unfinished().filter(lane=account.lane, kind__in=(START, STOP, REBOOT))
    ids = [target.removeprefix("server:") for target in watching.values_list("target", flat=True)]
    return account.servers.filter(Q(status=Status.PENDING) | Q(pk__in=ids)).exclude(ref="")


def settle_creation(operation: Operation) -> None:
    """Bring the row to what a creation came to."""
    row = Server.objects.filter(pk=operation.params.get("server"))
    if operation.check_mode:
        return
    free_slot(operation.params["server"])
    if operation.status == Operation.Status.COMPLETED:
        row.update(status=Status.RUNNING, ip_address=operation.result["ip_address"])
    elif operation.status == Operation.Status.FAILED or operation.error:
        row.update(status=Status.FAILED)
    elif operation.is_undoing:
        row.update(status=Status.DELETING)
    else:
        forget(row)


def settle_deletion(operation: Operation) -> None:
    """Bring the row to what a deletion came to."""
    row = Server.objects.filter(pk=operation.params["server"])
    if operation.status == Operation.Status.COMPLETED:
        free_slot(operation.params["server"])  # one that a forced deletion took over still has it
        forget(row)
    elif operation.status == Operation.Status.FAILED or operation.error:
        row.update(status=Status.FAILED)
    elif not operation.is_undoing:
        row.filter(status=Status.DELETING).update(status=operation.params["was"])


def forget(row: Any) -> None:
    """Delete the row of a machine that is proven gone, and what was on it."""
    for server in row:
        for evict in evictors:
            evict(server)
    row.delete()


def found_as(server: Server, status: str) -> None:
    """Set the status that the cloud shows, after a deletion was cancelled on the way."""
    Server.objects.filter(pk=server.pk).update(status=status)
