"""Listing an account's machines, one operation at a time."""

from __future__ import annotations

import time

from apps.operations.handler_api import Context
from apps.providers.drivers.base import ListChanged, Machine
from apps.providers.handlers import connected
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.servers.progress import progress_of
from apps.servers.services import drift, listing
from apps.servers.services.listing import Listing


def list_machines(context: Context, account: CloudAccount, *, pause: bool = True) -> Listing | None:
    """List the account's machines and store what that means; None while another operation does.

    With `pause` also None in the pause after a list, for a caller that can use what that list has shown.
    Raises what the driver raises, except that a list which changes while it is read is returned as not complete.
    """
    if not listing.claim_listing(account, context.lease, pause=pause):
        return None
    start = time.monotonic()
    try:
        began, watched = drift.clock(account), listing.watched(account)
        machines, complete = read(account)
        found = Listing(machines=machines, complete=complete, began=began, watched=watched)
        listing.note_listing(account, found)
    finally:
        listing.release_listing(account, context.lease, seconds=time.monotonic() - start)
    return found


def read(account: CloudAccount) -> tuple[list[Machine], bool]:
    """Return the account's machines as its cloud lists them, and whether that is proven to be all of them."""
    with connected(account) as cloud:
        try:
            return cloud.list(), True
        except ListChanged as change:
            return list(change.seen), False


def may_have_machine(context: Context, server: Server) -> bool | None:
    """Tell whether a machine may have been ordered for the server; None while another operation is finding that out.

    Orders of this operation are known by its state. An operation that may come from a restored database has perhaps
    forgotten one: one list of the account, read after the restore, tells that for all its servers. While such a list
    cannot be had complete, each server's machine is looked for by itself.
    """
    if "asked_at" in progress_of(context.operation) or server.found_at is not None:
        return True
    since, account = listing.may_be_restored(context.operation), server.account
    if since is None or (account.listed_at is not None and account.listed_at >= since):
        return False
    if account.polled_at is not None and account.polled_at >= since:
        return True
    found = list_machines(context, account)
    if found is None:
        return None
    return not found.complete or any(machine.server_id == server.pk for machine in found.machines)
