"""Orphans, machines with our labels that belong to no server: find, adopt or delete them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.providers.models import CloudAccount
from apps.servers.errors import AccountElsewhere, HostnameNeeded, HostnameTaken, MarkTaken, OwnedByNow
from apps.servers.hostnames import reserved_as
from apps.servers.models import HOSTNAME, SERVER_ID, Orphan, Server
from apps.servers.services.drift import touched_since, touching
from apps.system.database import integrity_error_as
from apps.system.errors import NotFound
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named

if TYPE_CHECKING:
    from apps.providers.drivers.base import Machine

ADOPT, DELETE = "orphan.adopt", "orphan.delete"
Status = Server.Status
SEEN = ("server_id", "hostname", "plan", "zone", "state", "seen_at")


# ── found ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def note_orphans(account: CloudAccount, machines: Iterable[Machine], began: datetime) -> list[Orphan]:
    """Store which of the account's machines are orphans, and drop those that are not any more; return what there is.

    Those that an operation holds stay as they are.
    """
    held = touched_since(began)
    found = [orphan_of(account, machine) for machine in unowned_machines(account, machines, held, began)]
    Orphan.objects.bulk_create(
        found, update_conflicts=True, update_fields=SEEN, unique_fields=["account", "ref"], batch_size=500
    )
    known = account.orphans.select_for_update().order_by("pk")
    refs = {orphan.ref for orphan in found}
    gone = [orphan.pk for orphan in known if orphan.ref not in refs and orphan.target not in held]
    Orphan.objects.filter(pk__in=gone).delete()
    return list(account.orphans.filter(ref__in=refs)) if refs else []


def unowned_machines(
    account: CloudAccount, machines: Iterable[Machine], held: set[str], began: datetime
) -> list[Machine]:
    """Return the machines that belong to no server, now that the list is there: rows are made before their machines.

    What a deletion has just taken away may still be in the list.
    """
    listed = list(machines)
    marks = {machine.server_id for machine in listed}
    rows = Server.objects.filter(provider=account.provider).in_bulk(marks)
    leaving = just_deleted(began)
    return [
        machine
        for machine in listed
        if f"server:{machine.server_id}" not in held
        and machine.ref not in leaving
        and not is_owned_by(rows.get(machine.server_id), machine)
    ]


def is_owned_by(row: Server | None, machine: Machine) -> bool:
    """Tell whether a machine is a server's, through whichever account it is seen, or may turn out to be."""
    return row is not None and (row.ref in ("", machine.ref) or row.status in (Status.PENDING, Status.DELETING))


def just_deleted(began: datetime) -> set[str]:
    """Return the machines of orphans whose deletion has only just succeeded."""
    gone = touching(began).filter(kind=DELETE, status=Operation.Status.COMPLETED)
    return {params["ref"] for params in gone.values_list("params", flat=True)}


def orphan_of(account: CloudAccount, machine: Machine) -> Orphan:
    """Return the row of a machine."""
    return Orphan(
        account=account,
        ref=machine.ref,
        server_id=machine.server_id,
        hostname=machine.hostname[:253],
        plan=machine.plan[:64],
        zone=machine.zone[:64],
        state=machine.state,
        seen_at=timezone.now(),
    )


# ── asked for ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def adopt_orphan(*, orphan_id: str, actor: User | None, workspace: str, hostname: str = "") -> Operation:
    """Queue the making of a server of a workspace out of an orphan; it keeps the id that its machine is marked with.

    Raises NotFound, TargetBusy, UnknownWorkspace, AccountElsewhere, MarkTaken, HostnameNeeded, HostnameTaken.
    """
    orphan, place = locked_orphan(orphan_id), workspace_named(workspace)
    if orphan.account.workspace_id not in (None, place.pk):
        raise AccountElsewhere(account=orphan.account, workspace=place.name, field="workspace")
    refuse_marked(orphan)
    name = hostname or orphan.hostname
    if reason := reserved_as(name) if HOSTNAME.fullmatch(name) else "it is no host name":
        raise HostnameNeeded(hostname=name, reason=reason, field="hostname")
    if place.servers.filter(hostname__iexact=name).exists():
        raise HostnameTaken(hostname=name, workspace=place.name)
    return submit_for_orphan(orphan, ADOPT, place, actor, workspace=place.pk, hostname=name)


@transaction.atomic
def delete_orphan(*, orphan_id: str, actor: User | None) -> Operation:
    """Queue the deletion of an orphan's machine, disks included. Raises NotFound, TargetBusy, OwnedByNow."""
    orphan = locked_orphan(orphan_id)
    refuse_owned(orphan.account, orphan.ref)
    return submit_for_orphan(orphan, DELETE, orphan.account.workspace, actor)


def locked_orphan(orphan_id: str) -> Orphan:
    """Return an orphan under lock, with no operation on it or its mark. Raises NotFound, TargetBusy."""
    rows = Orphan.objects.select_for_update(of=("self",)).select_related("account__workspace")
    orphan = rows.filter(pk=orphan_id).first()
    if orphan is None:
        raise NotFound(what="orphan", id=orphan_id)
    operations.refuse_if_busy(orphan.target)
    operations.refuse_if_busy(f"server:{orphan.server_id}")
    return orphan


def refuse_marked(orphan: Orphan) -> None:
    """Refuse unless the machine's mark can be a server's id here: by it the machine is found. Raises MarkTaken."""
    row = Server.objects.filter(pk=orphan.server_id).first()
    if row or not SERVER_ID.fullmatch(orphan.server_id):
        raise MarkTaken(ref=orphan.ref, mark=orphan.server_id or "of nothing", owner=row.hostname if row else "no id")


def refuse_owned(account: CloudAccount, ref: str) -> None:
    """Refuse what has become a server's machine since. Raises OwnedByNow."""
    row = Server.objects.filter(provider=account.provider, ref=ref).first()
    if row:
        raise OwnedByNow(ref=ref, hostname=row.hostname, server=row.pk)


def submit_for_orphan(
    orphan: Orphan, kind: str, place: Workspace | None, actor: User | None, **params: object
) -> Operation:
    """Queue an operation on an orphan."""
    facts = {"orphan": orphan.pk, "account": orphan.account_id, "ref": orphan.ref, "server": orphan.server_id}
    return operations.submit(
        kind=kind,
        workspace=place,
        actor=actor,
        target=orphan.target,
        params=facts | params,
        time_limit=orphan.account.time_limit,
        limit_key=orphan.account.limit_key,
    )


# ── what operations mean for the rows ─────────────────────────────────────────────────────────────────────────────────
def imported_server(*, ref: str, server_id: str) -> Server | None:
    """Return the server that an earlier attempt has made of an orphan."""
    return Server.objects.filter(pk=server_id, ref=ref).first()


@transaction.atomic
def import_machine(machine: Machine, *, account: CloudAccount, workspace: Workspace, hostname: str) -> Server:
    """Make the machine a server and no orphan any more. Raises HostnameTaken, MarkTaken."""
    if Server.objects.filter(pk=machine.server_id).exists():
        raise MarkTaken(ref=machine.ref, mark=machine.server_id, owner=machine.server_id)
    server = Server(id=machine.server_id, workspace=workspace, account=account, hostname=hostname)
    server.provider, server.plan, server.zone = account.provider, machine.plan, machine.zone
    server.status, server.ip_address = machine.state, machine.ip or None
    server.ref, server.disks, server.ssh_port = machine.ref, list(machine.disks), machine.ssh_port
    server.emulated, server.backed = machine.emulated, machine.backed
    with integrity_error_as(HostnameTaken(hostname=hostname, workspace=workspace.name), "one_server_of_a_hostname"):
        server.save(force_insert=True)
    Orphan.objects.filter(ref=machine.ref, account=account).delete()
    return server


def apply_deletion_outcome(operation: Operation, outcome: Outcome) -> None:
    """Drop the row of an orphan whose machine is gone."""
    if outcome is Outcome.COMPLETED:
        Orphan.objects.filter(pk=operation.params["orphan"]).delete()
