"""Deleting servers whose time is over, by operations like any other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.operations import events
from apps.operations import services as operations
from apps.operations.models import Event, Operation
from apps.servers.errors import ServerOccupied
from apps.servers.models import Server
from apps.servers.services.delete import DELETE, delete_server, refuse_if_occupied
from apps.servers.services.locking import locked_server
from apps.system.errors import DomainError

BATCH = 100
AGAIN = timedelta(hours=1)
OCCUPIED = "SERVER_OCCUPIED"

logger = logging.getLogger(__name__)


def expire_servers() -> None:
    """Queue the deletion of every server whose time is over; one that cannot be deleted holds up no other."""
    for server_id in overdue_ids():
        try:
            expire_server(server_id=server_id)
        except DomainError as refusal:  # somebody has taken it, protected it or deleted it in between
            logger.info("expired server %s stays for now: %s", server_id, refusal.text)


def overdue_ids() -> Iterator[str]:
    """Yield the ids of servers that may be deleted now, a batch at a time."""
    last = ""
    while batch := list(overdue().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield from batch
        last = batch[-1]


def overdue() -> QuerySet[Server]:
    """Select the expired servers that nothing protects or holds; a failed deletion is tried again after an hour."""
    target = Concat(Value("server:"), OuterRef("pk"))
    held = Operation.objects.unfinished().order_by().filter(target=target)
    tried = Operation.objects.order_by().filter(target=target, kind=DELETE, created_at__gt=timezone.now() - AGAIN)
    expired = Server.objects.filter(expires_at__lte=timezone.now(), protected=False)
    return expired.filter(~Exists(held), ~Exists(tried.exclude(error_code=OCCUPIED)))


@transaction.atomic
def expire_server(*, server_id: str) -> Operation | None:
    """Queue the deletion of an expired server, or write down, once, that what is installed on it keeps it.

    Returns the operation, None when there is nothing to do or to say. Raises NotFound, ServerProtected, TargetBusy.
    """
    server = locked_server(server_id)
    if server.expires_at is None or server.expires_at > timezone.now():
        return None
    when = f"{server.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    try:
        refuse_if_occupied(server, force=False)
    except ServerOccupied as refusal:
        return note_stay(server, f"It expired at {when} and stays: {refusal.text}")
    operation = delete_server(server_id=server_id, actor=None)
    line = f"{server.hostname} expired at {when}: it is deleted by itself."
    events.append(operation, Event.Level.WARNING, line, {"expires_at": when})
    return operation


def note_stay(server: Server, reason: str) -> Operation | None:
    """Write down why an expired server is not deleted, as a failed deletion that everybody can see, once an expiry."""
    refused = Operation.objects.filter(target=server.target, kind=DELETE, error_code=OCCUPIED)
    if refused.filter(created_at__gte=server.expires_at).exists():
        return None
    return operations.record_refusal(
        kind=DELETE,
        workspace=server.workspace,
        target=server.target,
        params={"server": server.id, "was": server.status},
        code=OCCUPIED,
        message=reason,
    )


def expiry_obstacle(server: Server) -> str:
    """Say why a server whose time is over is still there; empty when its time is not over."""
    if server.expires_at is None or server.expires_at > timezone.now():
        return ""
    if server.protected:
        return "It has expired but stays, because it is protected."
    if operations.holder_of(server.target):
        return "It has expired; it is deleted once the operation under way has ended."
    try:
        refuse_if_occupied(server, force=False)
    except ServerOccupied as refusal:
        return f"It has expired and stays: {refusal.text}"
    return "It has expired and is deleted within a minute, or an hour after a deletion that did not succeed."
