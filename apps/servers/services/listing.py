"""Listing an account's machines: by one operation at a time, how often, and what a list means for the rows.

One operation at a time lists an account, and writes its lease on the account's row; that of a reader whose worker dies
ends as the operation's own does. The others read what the list has shown. The pause before the next list is as long as
the last one took, so that an account with many machines, or a slow cloud, takes half of one worker at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.operations import transitions
from apps.operations.handler_api import Lease
from apps.operations.models import Operation
from apps.operations.queue.leases import in_seconds
from apps.operations.worker import nodes
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.servers.services.power import REBOOT, START, STOP

if TYPE_CHECKING:
    from apps.providers.drivers.base import Machine

PAUSE_SECONDS = 1.0
CLOCK_SECONDS = 60.0
SETTLED = ("running", "stopped", "gone")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The machines that a list showed; one that is not `complete` proves nothing about those that it lacks.

    `watched` are the refs of the machines that were waited for when it began: only of these it can say that they are
    gone.
    """

    machines: list[Machine]
    complete: bool
    began: datetime
    watched: frozenset[str]


# ── who may list ──────────────────────────────────────────────────────────────────────────────────────────────────────
def claim_listing(account: CloudAccount, lease: Lease, *, pause: bool) -> bool:
    """Take the right to list the account's machines; False while another operation has it and, with `pause`, for the
    pause after it.
    """
    reading = Operation.objects.unfinished().filter(
        pk=OuterRef("reader"), fence=OuterRef("reader_fence"), due_at__gt=Now()
    )
    rested = Q(next_list_at=None) | Q(next_list_at__lte=Now())
    free = CloudAccount.objects.filter(
        rested if pause else Q(), ~Exists(reading.exclude(lease_owner="")), pk=account.pk
    )
    return bool(free.update(reader=lease.operation_id, reader_fence=lease.fence))


def release_listing(account: CloudAccount, lease: Lease, *, seconds: float) -> None:
    """Give the right back after a list that took so many seconds."""
    mine = CloudAccount.objects.filter(pk=account.pk, reader=lease.operation_id, reader_fence=lease.fence)
    pause = in_seconds(max(PAUSE_SECONDS, seconds))
    mine.update(reader=None, reader_fence=None, polled_at=Now(), next_list_at=pause)


# ── what a list means ─────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def note_listing(account: CloudAccount, listing: Listing) -> None:
    """Store what a list has shown, and wake the operations whose machines are up, down or gone."""
    note_found(account, listing.machines)
    store_states(account, listing)
    if listing.complete:
        CloudAccount.objects.filter(pk=account.pk).update(listed_at=listing.began)


def store_states(account: CloudAccount, listing: Listing) -> None:
    """Store the machines' states where an operation waits for them."""
    states = {machine.ref: machine.state for machine in listing.machines}
    for server in awaited(account).only("id", "ref", "seen_state"):
        gone = "gone" if listing.complete and server.ref in listing.watched else server.seen_state
        state = states.get(server.ref, gone)
        if state != server.seen_state:
            Server.objects.filter(pk=server.pk).update(seen_state=state)
            if state in SETTLED:
                transitions.wake_target(server.target)


def note_found(account: CloudAccount, machines: Iterable[Machine]) -> None:
    """Mark the servers that know of no machine though the list has one that was made for them."""
    waiting = account.servers.filter(status=Server.Status.PENDING, ref="", found_at=None)
    found = set(waiting.values_list("pk", flat=True)) & {machine.server_id for machine in machines}
    if found:
        Server.objects.filter(pk__in=found).update(found_at=Now())


def watched(account: CloudAccount) -> frozenset[str]:
    """Return the refs of the machines that operations wait for."""
    return frozenset(awaited(account).values_list("ref", flat=True))


def awaited(account: CloudAccount) -> QuerySet[Server]:
    """Select the account's servers whose machines an operation waits for: being made, started, stopped or rebooted."""
    watching = Operation.objects.unfinished().filter(limit_key=account.limit_key, kind__in=(START, STOP, REBOOT))
    ids = [target.removeprefix("server:") for target in watching.values_list("target", flat=True)]
    return account.servers.filter(Q(status=Server.Status.PENDING) | Q(pk__in=ids)).exclude(ref="")


# ── after a restore ───────────────────────────────────────────────────────────────────────────────────────────────────
def may_be_restored(operation: Operation) -> datetime | None:
    """Return when a worker last started if the operation is older, None if it is not.

    Such an operation may come from a restored database, which has forgotten what was done after it was saved. Clocks of
    nodes differ, so one that is up to a minute younger counts as older.
    """
    start = nodes.last_start()
    is_older = start is not None and operation.created_at < start + timedelta(seconds=CLOCK_SECONDS)
    return start if is_older else None
